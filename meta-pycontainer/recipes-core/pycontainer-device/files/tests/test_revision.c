// SPDX-License-Identifier: MIT
#include "check.h"
#include "revision.h"
#include "sample.h"

static int parse(struct revision *out, const char *manifest, const char *config, struct error *err)
{
	int result = revision_parse_manifest(out, manifest, strlen(manifest), err);

	return result < 0 ? result : revision_parse_config(out, config, strlen(config), err);
}

// The error that a changed manifest or config gives.
static int refuse_manifest(const char *part, const char *by, struct error *err)
{
	struct revision revision;
	char *text = changed(sample_manifest, part, by);
	int result = parse(&revision, text, sample_config, err);

	revision_free(&revision);
	free(text);
	return result;
}

static int refuse_config(const char *part, const char *by, struct error *err)
{
	struct revision revision;
	char *text = changed(sample_config, part, by);
	int result = parse(&revision, sample_manifest, text, err);

	revision_free(&revision);
	free(text);
	return result;
}

static void test_good(void)
{
	struct revision r;
	struct error err = {""};

	check(parse(&r, sample_manifest, sample_config, &err) == 0);
	check(err.text[0] == '\0');
	check(r.blob_count == 6 && r.layer_count == 3);
	check(strcmp(r.product, "demo") == 0 && strcmp(r.machine, "qemu-amd64") == 0 && strcmp(r.version, "1.0.0") == 0);
	check(r.security_version == 0);
	check(!r.layers[0].container && r.layers[0].modules == &r.blobs[1]);
	const struct layer *web = &r.layers[2];
	check(web->container && web->group == 1 && web->after_count == 1 && web->after[0] == 1);
	check(web->rootfs == &r.blobs[4] && web->run_config == &r.blobs[5]);
	check(web->restart.policy == RESTART_ALWAYS && web->restart.max_delay_ms == 30000);
	check(web->stop_signal == 15 && web->stop_timeout_ms == 10000 && web->log_files == 2);
	check(web->volume_count == 1 && web->volumes[0].mode == 0750 && web->volumes[0].uid == 7 && web->volumes[0].gid == 8);
	// What the config does not say.
	check(web->health.kind == HEALTH_NONE && web->healthy_for_ms == 0 && web->max_restarts == 3 && !web->required);
	check(web->network == NETWORK_NONE && web->port_count == 0 && web->control_count == 0);
	check(web->io.read == 0 && web->io.write == 0);
	check(r.security_version == 0 && r.confirm_timeout_ms == 300000 && !r.confirm_manual);
	check(r.file_count == 0 && r.reach_count == 0);
	check(revision_layer(&r, "bsp") == &r.layers[0] && revision_layer(&r, "host") == NULL);
	revision_free(&r);
}

static void test_security_version(void)
{
	struct revision r;
	struct error none = {""};
	char *config = changed(sample_config, "\"schemaVersion\":1,", "\"schemaVersion\":1,\"securityVersion\":7,");

	check(parse(&r, sample_manifest, config, &none) == 0 && r.security_version == 7);
	revision_free(&r);
	free(config);
	check_error(refuse_config("{\"schemaVersion\"", "{\"securityVersion\":-1,\"schemaVersion\"", err), "securityVersion");
	check_error(refuse_config("{\"schemaVersion\"", "{\"securityVersion\":null,\"schemaVersion\"", err), "securityVersion");
}

// The sample with a policy of the layer web in the manifest, and with the words given in the layer's part of the config.
static int parse_policy(struct revision *out, const char *blob, const char *name, struct error *err)
{
	char *manifest = changed(sample_manifest, "],\"annotations\":{}}", "," BLOB(DIGEST("6"), "web", "policy")
				 "],\"annotations\":{}}");
	char *named = changed(sample_config, "\"run-config\":\"" DIGEST("5") "\"", blob);
	char *config = changed(named, "\"name\":\"web\",", name);
	int result = parse(out, manifest, config, err);

	free(config);
	free(named);
	free(manifest);
	return result;
}

static int refuse_policy(const char *blob, const char *name, struct error *err)
{
	struct revision revision;
	int result = parse_policy(&revision, blob, name, err);

	revision_free(&revision);
	return result;
}

static void test_policy(void)
{
	static const char blob[] = "\"run-config\":\"" DIGEST("5") "\",\"policy\":\"" DIGEST("6") "\"";
	struct revision r;
	struct error none = {""};

	check(parse_policy(&r, blob, "\"name\":\"web\",\"apparmor\":\"pycontainer.web.0123456789ab\",", &none) == 0);
	check(r.layers[2].policy == &r.blobs[6] && strcmp(r.layers[2].apparmor, "pycontainer.web.0123456789ab") == 0);
	check(r.layers[1].policy == NULL && r.layers[1].apparmor[0] == '\0' && !r.apparmor_required);
	revision_free(&r);
	check_error(refuse_policy(blob, "\"name\":\"web\",", err), "the policy has no name");
	check_error(refuse_policy(blob, "\"name\":\"web\",\"apparmor\":null,", err), "the policy has no name");
	check_error(refuse_policy(blob, "\"name\":\"web\",\"apparmor\":\"\",", err), "not a profile's name");
	check_error(refuse_policy(blob, "\"name\":\"web\",\"apparmor\":\"a b\",", err), "not a profile's name");
	check_error(refuse_policy(blob, "\"name\":\"web\",\"apparmor\":\"a\\nb\",", err), "apparmor");
	check_error(refuse_policy(blob, "\"name\":\"web\",\"apparmor\":\"" D("a") D("a") D("a") D("a") D("a") D("a") D("a") D("a") "\",",
				  err), "not a profile's name");
	check_error(refuse_config("\"name\":\"web\",", "\"name\":\"web\",\"apparmor\":\"x\",", err), "there is no policy");
	char *config = changed(sample_config, "{", "{\"apparmorRequired\":true,");
	check(parse(&r, sample_manifest, config, &none) == 0 && r.apparmor_required);
	revision_free(&r);
	free(config);
}

// The list need not be in the order in which containers start.
static void test_order_of_the_list(void)
{
	struct revision r;
	struct error err = {""};
	const char *rootfs = strstr(sample_config, "{\"name\":\"rootfs\""), *web = strstr(sample_config, ",{\"name\":\"web\"");
	size_t head = (size_t)(rootfs - sample_config), middle = (size_t)(web - rootfs);
	char *text = malloc(sizeof sample_config + 1);

	check(text != NULL);
	if (text == NULL)
		return;
	sprintf(text, "%.*s%.*s,%.*s]}", (int)head, sample_config, (int)strlen(web + 1) - 2, web + 1, (int)middle, rootfs);
	check(parse(&r, sample_manifest, text, &err) == 0);
	check(r.layer_count == 3 && r.layers[1].after_count == 1 && r.layers[1].after[0] == 2);
	revision_free(&r);
	free(text);
}

static void test_after_the_end(void)
{
	struct revision r;
	struct error none = {""};
	char *config = changed(sample_config, "\"after\":[\"rootfs\"]", "\"after\":[],\"afterEnd\":[\"rootfs\"]");

	check(parse(&r, sample_manifest, config, &none) == 0);
	check(r.layers[2].after_count == 0 && r.layers[2].after_end_count == 1 && r.layers[2].after_end[0] == 1);
	revision_free(&r);
	free(config);
	check_error(refuse_config("\"after\":[\"rootfs\"]", "\"after\":[],\"afterEnd\":[\"web\"]", err), "afterEnd[0]");
	check_error(refuse_config("\"after\":[\"rootfs\"]", "\"after\":[],\"afterEnd\":[7]", err), "afterEnd[0]");
	check_error(refuse_config("\"after\":[\"rootfs\"]", "\"after\":[],\"afterEnd\":\"rootfs\"", err), "afterEnd");
}

static void test_bad_manifests(void)
{
	check_error(refuse_manifest("{\"schemaVersion\":2", "{\"schemaVersion\":3", err), "manifest: schemaVersion");
	check_error(refuse_manifest("{\"schemaVersion\":2", "{\"schemaVersion\":2.0", err), "not an integer");
	check_error(refuse_manifest("{\"schemaVersion\":2", "{\"schemaVersion\":2,\"schemaVersion\":2", err), "duplicate");
	check_error(refuse_manifest("revision.v1\"", "revision.v2\"", err), "artifactType");
	check_error(refuse_manifest("image.manifest", "image.index", err), "mediaType");
	check_error(refuse_manifest("\"size\":100", "\"size\":-1", err), "config: size");
	check_error(refuse_manifest("\"size\":100", "\"size\":99999999", err), "config: size");
	check_error(refuse_manifest("\"size\":10,", "\"size\":0,", err), "layers[0]: size");
	check_error(refuse_manifest("\"size\":10,", "\"size\":9223372036854775808,", err), "JSON");
	check_error(refuse_manifest("sha256:1111", "sha256:111", err), "layers[0]: digest");
	check_error(refuse_manifest("sha256:1111", "sha256:111G", err), "layers[0]: digest");
	check_error(refuse_manifest("sha256:ffff", "sha512:ffff", err), "vnd.pycontainer.fsverity");
	check_error(refuse_manifest("\"bsp\"", "\"../x\"", err), "not a name");
	check_error(refuse_manifest("\"kernel\"", "\"modules\"", err), "twice");
	check_error(refuse_manifest("]", "],\"x\":[", err), "manifest");
	check_error(refuse_manifest("{", "[", err), "JSON");
	check_error(refuse_manifest("\"layers\":[", "\"layers\":[7,", err), "layers[0]: not an object");
}

static void test_bad_configs(void)
{
	check_error(refuse_config("demo", "../demo", err), "config: product");
	check_error(refuse_config("\"1.0.0\"", "\"1.0\\u0000\"", err), "JSON");
	check_error(refuse_config("\"1.0.0\"", "\"1.0\\u001b\"", err), "version: control");
	check_error(refuse_config("\"bsp\"", "\"rootfs\"", err), "layers[0]: blobs");
	check_error(refuse_config("\"name\":\"web\"", "\"name\":\"rootfs\"", err), "twice");
	check_error(refuse_config("\"kind\":\"app\"", "\"kind\":\"cat\"", err), "kind: unknown");
	check_error(refuse_config("sha256:4444", "sha256:5555", err), "the manifest has no such run-config");
	check_error(refuse_config("\"modules\":", "\"firmware\":", err), "the manifest has no such firmware");
	check_error(refuse_config(",\"modules\":\"" DIGEST("2") "\"", "", err), "describes 6 blobs, the config names 5");
	check_error(refuse_config("[\"rootfs\"]", "[\"web\"]", err), "after[0]");
	check_error(refuse_config("[\"rootfs\"]", "[\"bsp\"]", err), "after[0]");
	check_error(refuse_config("[\"rootfs\"]", "[7]", err), "after[0]");
	check_error(refuse_config("\"startGroup\":0", "\"startGroup\":2", err), "after[0]");
	check_error(refuse_config("\"startGroup\":0", "\"startGroup\":2147483648", err), "startGroup");
	check_error(refuse_config("\"policy\":\"always\"", "\"policy\":\"maybe\"", err), "restart: policy");
	check_error(refuse_config("\"signal\":15", "\"signal\":65", err), "stop: signal");
	check_error(refuse_config("\"files\":2", "\"files\":0", err), "logs: files");
	check_error(refuse_config("\"maxBytes\":1048576", "\"maxBytes\":true", err), "logs: maxBytes");
	check_error(refuse_config("\"runtime\":\"crun\"", "\"runtime\":\"sh\"", err), "runtime: unknown: sh");
	check_error(refuse_config("\"0750\"", "\"17777\"", err), "mode: above");
	check_error(refuse_config("\"0750\"", "\"0x1f\"", err), "mode");
	check_error(refuse_config("\"name\":\"data\"", "\"name\":\"..\"", err), "volumes[0]: name");
	check_error(refuse_config("\"uid\":7", "\"uid\":4294967295", err), "uid");
	check_error(refuse_config("\"permanent\"", "\"forever\"", err), "volumes[0]: kind");
	check_error(refuse_config("\"volumes\":[{", "\"volumes\":[1,{", err), "volumes[0]: not an object");
	check_error(refuse_config("\"schemaVersion\":1", "\"schemaVersion\":2", err), "schemaVersion");
}

int main(void)
{
	test_good();
	test_security_version();
	test_policy();
	test_order_of_the_list();
	test_after_the_end();
	test_bad_manifests();
	test_bad_configs();
	return check_result("revision");
}
