// SPDX-License-Identifier: MIT
// What a config may say of a container's health, network and limits, and of when a revision is confirmed.
#include "check.h"
#include "revision.h"
#include "sample.h"

// The sample with members of its own for the layer web, in the place of its check and conditions, and for the revision.
static int parse_with(struct revision *out, const char *web, const char *top, struct error *err)
{
	static const char head[] = "{\"schemaVersion\":1", tail[] = "\"health\":null,\"confirm\":{\"healthyForMs\":0}}]}";
	size_t middle = sizeof sample_config - sizeof tail - (sizeof head - 1);
	size_t size = sizeof sample_config + strlen(web) + strlen(top) + 8;
	char *text = malloc(size);

	if (text == NULL)
		abort();
	snprintf(text, size, "%s%s%.*s%s}]}", head, top, (int)middle, sample_config + sizeof head - 1, web);
	int result = revision_parse_manifest(out, sample_manifest, strlen(sample_manifest), err);
	if (result == 0)
		result = revision_parse_config(out, text, strlen(text), err);
	free(text);
	return result;
}

static int refuse_with(const char *web, const char *top, struct error *err)
{
	struct revision revision;
	int result = parse_with(&revision, web, top, err);

	revision_free(&revision);
	return result;
}

static void test_container_members(void)
{
	struct revision r;
	struct error err = {""};

	check(parse_with(&r,
			 "\"health\":{\"command\":[\"/bin/check\",\"\"],\"startPeriodMs\":1,\"intervalMs\":2,\"timeoutMs\":3,"
			 "\"retries\":4},\"confirm\":{\"healthyForMs\":5,\"maxRestarts\":6},\"required\":true,"
			 "\"network\":\"bridge\",\"ports\":[{\"host\":8080,\"container\":80,\"protocol\":\"tcp\"},"
			 "{\"host\":8080,\"container\":81,\"protocol\":\"udp\"}],\"io\":{\"readBytesPerSecond\":7,"
			 "\"writeBytesPerSecond\":1099511627776},\"control\":[\"status\",\"ps\"],"
			 "\"userNamespace\":{\"hostId\":1048576,\"size\":65536}", "", &err) == 0);
	const struct layer *web = &r.layers[2];
	const struct health_check *health = &web->health;
	check(health->kind == HEALTH_COMMAND && strcmp(health->command[0], "/bin/check") == 0);
	check(health->command[1][0] == '\0' && health->command[2] == NULL && health->path == NULL);
	check(health->start_period_ms == 1 && health->interval_ms == 2 && health->timeout_ms == 3 && health->retries == 4);
	check(web->healthy_for_ms == 5 && web->max_restarts == 6 && web->required && web->network == NETWORK_BRIDGE);
	check(web->port_count == 2 && web->ports[0].host == 8080 && web->ports[0].container == 80 && !web->ports[0].udp);
	check(web->ports[1].host == 8080 && web->ports[1].container == 81 && web->ports[1].udp);
	check(web->io.read == 7 && web->io.write == 1ull << 40);
	check(web->user_base == 1048576 && web->user_count == 65536 && r.layers[1].user_count == 0);
	check(web->control_count == 2 && strcmp(web->control[0], "status") == 0 && strcmp(web->control[1], "ps") == 0);
	revision_free(&r);

	check(parse_with(&r, "\"health\":{\"http\":{\"port\":80,\"path\":\"/up?x=~\"}},\"network\":\"host\",\"io\":{}", "",
			 &err) == 0);
	web = &r.layers[2];
	check(web->health.kind == HEALTH_HTTP && web->health.port == 80 && strcmp(web->health.path, "/up?x=~") == 0);
	check(web->health.start_period_ms == 0 && web->health.interval_ms == 30000);
	check(web->health.timeout_ms == 30000 && web->health.retries == 3);
	check(web->healthy_for_ms == 10000 && web->max_restarts == 3 && web->network == NETWORK_HOST);
	revision_free(&r);

	check(parse_with(&r, "\"health\":{\"tcp\":65535},\"io\":null,\"ports\":[],\"control\":[]", "", &err) == 0);
	check(r.layers[2].health.kind == HEALTH_TCP && r.layers[2].health.port == 65535);
	check(r.layers[2].io.read == 0 && r.layers[2].control_count == 0 && r.layers[2].port_count == 0);
	revision_free(&r);
}

static void test_bad_container_members(void)
{
	check_error(refuse_with("\"health\":7", "", err), "layers[2]: health: health: missing or not an object");
	check_error(refuse_with("\"health\":{}", "", err), "health: not exactly one of");
	check_error(refuse_with("\"health\":{\"tcp\":1,\"command\":[\"x\"]}", "", err), "health: not exactly one of");
	check_error(refuse_with("\"health\":{\"tcp\":0}", "", err), "health: tcp: not within 1 to 65535");
	check_error(refuse_with("\"health\":{\"tcp\":null}", "", err), "health: tcp");
	check_error(refuse_with("\"health\":{\"command\":[]}", "", err), "names no program");
	check_error(refuse_with("\"health\":{\"command\":[\"\"]}", "", err), "names no program");
	check_error(refuse_with("\"health\":{\"command\":\"x\"}", "", err), "command: missing or not an array");
	check_error(refuse_with("\"health\":{\"command\":[\"x\",7]}", "", err), "command[1]: not a text");
	check_error(refuse_with("\"health\":{\"http\":{\"port\":80}}", "", err), "http: path");
	check_error(refuse_with("\"health\":{\"http\":{\"path\":\"/\"}}", "", err), "http: port");
	check_error(refuse_with("\"health\":{\"http\":{\"port\":80,\"path\":\"up\"}}", "", err), "begin with /");
	check_error(refuse_with("\"health\":{\"http\":{\"port\":80,\"path\":\"/a b\"}}", "", err), "cannot hold");
	check_error(refuse_with("\"health\":{\"http\":{\"port\":80,\"path\":\"/a\\r\\n\"}}", "", err), "cannot hold");
	check_error(refuse_with("\"health\":{\"tcp\":1,\"intervalMs\":0}", "", err), "health: intervalMs");
	check_error(refuse_with("\"health\":{\"tcp\":1,\"timeoutMs\":0}", "", err), "health: timeoutMs");
	check_error(refuse_with("\"health\":{\"tcp\":1,\"startPeriodMs\":\"1s\"}", "", err), "health: startPeriodMs");
	check_error(refuse_with("\"health\":{\"tcp\":1,\"retries\":0}", "", err), "health: retries");
	check_error(refuse_with("\"confirm\":null", "", err), "confirm: missing or not an object");
	check_error(refuse_with("\"confirm\":{\"maxRestarts\":-1}", "", err), "confirm: maxRestarts");
	check_error(refuse_with("\"confirm\":{\"healthyForMs\":2147483648}", "", err), "confirm: healthyForMs");
	check_error(refuse_with("\"required\":1", "", err), "required: neither true nor false");
	check_error(refuse_with("\"network\":\"wifi\"", "", err), "network: unknown: wifi");
	check_error(refuse_with("\"network\":null", "", err), "network");
#define PORT "{\"host\":1,\"container\":2,\"protocol\":\"tcp\"}"
	check_error(refuse_with("\"ports\":[" PORT "]", "", err), "without the network bridge");
#define BRIDGE "\"network\":\"bridge\",\"ports\":"
	check_error(refuse_with(BRIDGE "[7]", "", err), "ports[0]: not an object");
	check_error(refuse_with(BRIDGE "[" PORT "," PORT "]", "", err), "layers[2]: ports: 1/tcp of the device is published twice");
	check_error(refuse_with(BRIDGE "[{\"host\":0,\"container\":2,\"protocol\":\"tcp\"}]", "", err), "ports[0]: host");
	check_error(refuse_with(BRIDGE "[{\"host\":1,\"container\":65536,\"protocol\":\"tcp\"}]", "", err), "container");
	check_error(refuse_with(BRIDGE "[{\"host\":1,\"container\":2,\"protocol\":\"sctp\"}]", "", err), "protocol");
	check_error(refuse_with(BRIDGE "[{\"host\":1,\"container\":2}]", "", err), "ports[0]: protocol");
	check_error(refuse_with("\"io\":[]", "", err), "io: missing or not an object");
	check_error(refuse_with("\"io\":{\"readBytesPerSecond\":1099511627777}", "", err), "io: readBytesPerSecond");
	check_error(refuse_with("\"io\":{\"writeBytesPerSecond\":-1}", "", err), "io: writeBytesPerSecond");
	check_error(refuse_with("\"control\":{}", "", err), "control: missing or not an array");
	check_error(refuse_with("\"control\":[\"../x\"]", "", err), "control[0]");
	check_error(refuse_with("\"control\":[\"ps\",null]", "", err), "control[1]");
	char many[33 * 5 + 16] = "\"control\":[";
	for (int i = 0; i < 33; i++)
		strcat(many, i == 0 ? "\"ps\"" : ",\"ps\"");
	strcat(many, "]");
	check_error(refuse_with(many, "", err), "more than 32");
}

static void test_conditions(void)
{
	struct revision r;
	struct error err = {""};

	check(parse_with(&r, "\"health\":null",
			 ",\"securityVersion\":3,\"confirm\":{\"timeoutMs\":9,\"manual\":true,\"files\":[{\"layer\":\"web\","
			 "\"volume\":\"data\",\"path\":\"a/...b/.c\"}],\"reachable\":[{\"address\":\"192.0.2.1\",\"port\":53},"
			 "{\"address\":\"fe80::1\",\"port\":1}]}", &err) == 0);
	check(r.security_version == 3 && r.confirm_timeout_ms == 9 && r.confirm_manual);
	check(strcmp(r.layers[0].version, "6") == 0 && strcmp(r.layers[2].version, "1") == 0);
	check(r.file_count == 1 && r.files[0].layer == &r.layers[2] && r.files[0].volume == &r.layers[2].volumes[0]);
	check(strcmp(r.files[0].path, "a/...b/.c") == 0);
	check(r.reach_count == 2 && strcmp(r.reachable[0].address, "192.0.2.1") == 0 && r.reachable[0].port == 53);
	check(strcmp(r.reachable[1].address, "fe80::1") == 0 && r.reachable[1].port == 1);
	revision_free(&r);
}

static int refuse_file(const char *path, struct error *err)
{
	char top[256];

	snprintf(top, sizeof top, ",\"confirm\":{\"files\":[{\"layer\":\"web\",\"volume\":\"data\",\"path\":\"%s\"}]}", path);
	return refuse_with("\"health\":null", top, err);
}

static int refuse_reach(const char *entry, struct error *err)
{
	char top[256];

	snprintf(top, sizeof top, ",\"confirm\":{\"reachable\":[%s]}", entry);
	return refuse_with("\"health\":null", top, err);
}

static void test_bad_conditions(void)
{
	static const char *const paths[] = {"", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\\nb"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		check_error(refuse_file(paths[i], err), "config: confirm: files[0]: path: not a plain path");
	check_error(refuse_with("\"health\":null", ",\"securityVersion\":-1", err), "securityVersion");
	check_error(refuse_with("\"health\":null", ",\"securityVersion\":2147483648", err), "securityVersion");
	check_error(refuse_with("\"health\":null", ",\"confirm\":[]", err), "confirm: missing or not an object");
	check_error(refuse_with("\"health\":null", ",\"confirm\":{\"timeoutMs\":0}", err), "confirm: timeoutMs");
	check_error(refuse_with("\"health\":null", ",\"confirm\":{\"manual\":\"yes\"}", err), "confirm: manual");
	check_error(refuse_with("\"health\":null", ",\"confirm\":{\"files\":{}}", err), "confirm: files");
	check_error(refuse_with("\"userNamespace\":{\"hostId\":1000,\"size\":1}", "", err), "userNamespace: hostId");
	check_error(refuse_with("\"userNamespace\":{\"hostId\":65536}", "", err), "userNamespace: size");
	check_error(refuse_with("\"userNamespace\":{\"hostId\":4294901761,\"size\":65536}", "", err), "above 4294967294");
	check_error(refuse_with("\"userNamespace\":7", "", err), "userNamespace");
	check_error(refuse_with("\"health\":null", ",\"confirm\":{\"files\":[1]}", err), "files[0]: not an object");
	check_error(refuse_with("\"health\":null",
				",\"confirm\":{\"files\":[{\"layer\":\"rootfs\",\"volume\":\"data\",\"path\":\"a\"}]}", err),
		    "no volume data of a layer rootfs");
	check_error(refuse_with("\"health\":null",
				",\"confirm\":{\"files\":[{\"layer\":\"cat\",\"volume\":\"data\",\"path\":\"a\"}]}", err),
		    "no volume data of a layer cat");
	check_error(refuse_reach("1", err), "confirm: reachable[0]: not an object");
	check_error(refuse_reach("{\"address\":\"example.org\",\"port\":1}", err), "address: not an IP address");
	check_error(refuse_reach("{\"address\":\"1.2.3\",\"port\":1}", err), "address: not an IP address");
	check_error(refuse_reach("{\"address\":\"1.2.3.4\",\"port\":0}", err), "port");
	check_error(refuse_reach("{\"address\":\"1.2.3.4\"}", err), "port");
	char many[17 * 2 + 1] = "1";
	for (int i = 1; i < 17; i++)
		strcat(many, ",1");
	check_error(refuse_reach(many, err), "reachable: more than 16");
}

int main(void)
{
	test_container_members();
	test_bad_container_members();
	test_conditions();
	test_bad_conditions();
	return check_result("config");
}
