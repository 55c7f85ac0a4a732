// SPDX-License-Identifier: MIT
// What the kernel tells of a container, what its product says of that, and the programs that tell it.
#include "check.h"
#include "bpf_code.h"
#include "json.h"
#include "observe_config.h"
#include "observed.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static struct layer layer = {.name = "web", .user_base = 100000, .user_count = 65536};

static const char config[] =
	"{\"volumes\":[{\"destination\":\"/data\"}],\"observe\":{\"exec\":\"stop\",\"connect\":\"record\",\"write\":\"stop\","
	"\"allow\":{\"exec\":[\"/bin/sh\",\"/usr/lib/web/\"],\"write\":[\"/tmp/\",\"/run/pid\"],\"connect\":["
	"{\"address\":\"10.1.0.0/20\",\"port\":5432,\"protocol\":\"tcp\"},{\"address\":\"2001:db8::/33\"},{\"port\":53}]}}}";

static int parse(struct observe *observe, const char *text, struct error *err)
{
	json_t *object = json_object_parse(text, strlen(text), err);
	int result = object == NULL ? -2 : observe_config_parse(observe, object, err);

	json_decref(object);
	return result;
}

static struct observed path_event(uint32_t kind, const char *path)
{
	struct {
		struct observed_head head;
		struct observed_path path;
	} record = {.head = {.cgroup = 7, .when_ns = 1500000000, .kind = kind, .pid = 12, .uid = 100033, .program = "sh"}};
	struct observed what;
	struct error err;

	record.path.length = (int64_t)strlen(path) + 1;
	strcpy(record.path.text, path);
	check(observed_parse(&what, (const unsigned char *)&record, sizeof record, &err) == 0);
	check(what.head.cgroup == 7 && strcmp(what.path, path) == 0);
	return what;
}

static struct observed address_event(const char *address, uint16_t port, uint32_t protocol)
{
	unsigned char record[sizeof(struct observed_head) + sizeof(struct observed_address)];
	struct observed_head head = {.kind = OBSERVED_CONNECT};
	struct observed_address to = {.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET, .port = htons(port),
				      .protocol = protocol};
	struct observed what;
	struct error err;

	check(inet_pton((int)to.family, address, to.bytes) == 1);
	memcpy(record, &head, sizeof head);
	memcpy(record + sizeof head, &to, sizeof to);
	check(observed_parse(&what, record, sizeof record, &err) == 0);
	return what;
}

static bool declared(const struct observe *observe, const struct observed what)
{
	return observed_is_declared(observe, &what);
}

static void test_rules(void)
{
	struct observe observe = {0};
	struct error err;

	check(parse(&observe, config, &err) == 0);
	check(observed_wanted(&observe) == (OBSERVED_EXEC | OBSERVED_CONNECT | OBSERVED_WRITE | OBSERVED_REFUSED));
	check(observed_watch(&observe, OBSERVED_EXEC) == WATCH_STOP && observed_watch(&observe, OBSERVED_CONNECT) == WATCH_RECORD);
	// What was refused did not happen, and stops nobody.
	check(observed_watch(&observe, OBSERVED_REFUSED) == WATCH_RECORD);
	check(declared(&observe, path_event(OBSERVED_EXEC, "/bin/sh")));
	check(declared(&observe, path_event(OBSERVED_EXEC, "/usr/lib/web/x/y")));
	static const char *const others[] = {"/bin/shx", "/bin", "bin/sh", "/usr/lib/web", "/usr/lib/web/../evil", "/usr/lib/web/..",
					     "/tmp/x", "/dev/fd/3"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		check(!declared(&observe, path_event(OBSERVED_EXEC, others[i])));
	check(declared(&observe, path_event(OBSERVED_WRITE, "/tmp/x")) && !declared(&observe, path_event(OBSERVED_WRITE, "/run/x")));
	struct observed in_volume = path_event(OBSERVED_WRITE, "/data/x"), beside = path_event(OBSERVED_WRITE, "/database");
	check(observed_is_own(&observe, &in_volume) && !observed_is_own(&observe, &beside));
	struct observed attribute = path_event(OBSERVED_WRITE, "/proc/12/task/12/attr/apparmor/exec");
	struct observed maps = path_event(OBSERVED_WRITE, "/proc/12/uid_map");
	check(observed_is_own(&observe, &attribute) && !observed_is_own(&observe, &maps));
	struct observed process = path_event(OBSERVED_WRITE, "anon_inode:[pidfd]"), asked = path_event(OBSERVED_REFUSED, "bin/x");
	check(observed_is_own(&observe, &process) && !observed_is_own(&observe, &asked));
	check(declared(&observe, address_event("10.1.15.255", 5432, 6)));
	check(!declared(&observe, address_event("10.1.16.0", 5432, 6)) && !declared(&observe, address_event("10.1.1.1", 5433, 6)));
	check(!declared(&observe, address_event("10.1.1.1", 5432, 17)));
	check(declared(&observe, address_event("::ffff:10.1.1.1", 5432, 6)));
	check(declared(&observe, address_event("2001:db8:7fff::1", 1, 17)) && !declared(&observe, address_event("2001:db8:8000::1", 1, 6)));
	check(declared(&observe, address_event("192.0.2.1", 53, 17)));
	observe_config_free(&observe);
}

static void test_config(void)
{
	static const char *const bad[][2] = {
		{"{\"observe\":{\"exec\":\"kill\"}}", "exec"},
		{"{\"observe\":{\"exec\":1}}", "exec"},
		{"{\"observe\":[]}", "observe"},
		{"{\"observe\":{\"exec\":\"stop\",\"allow\":{\"exec\":[\"sh\"]}}}", "not an absolute path"},
		{"{\"observe\":{\"exec\":\"stop\",\"allow\":{\"exec\":[\"\"]}}}", "not an absolute path"},
		{"{\"observe\":{\"exec\":\"stop\",\"allow\":{\"exec\":[1]}}}", "allow: exec[0]"},
		{"{\"observe\":{\"connect\":\"stop\",\"allow\":{\"connect\":[{\"address\":\"10.0.0.0/33\"}]}}}", "0 to 32 bits"},
		{"{\"observe\":{\"connect\":\"stop\",\"allow\":{\"connect\":[{\"address\":\"example.org\"}]}}}", "not one of IPv4"},
		{"{\"observe\":{\"connect\":\"stop\",\"allow\":{\"connect\":[{\"address\":\"::1/\"}]}}}", "0 to 128 bits"},
		{"{\"observe\":{\"connect\":\"stop\",\"allow\":{\"connect\":[{\"port\":0}]}}}", "port"},
		{"{\"observe\":{\"connect\":\"stop\",\"allow\":{\"connect\":[{\"protocol\":\"sctp\"}]}}}", "protocol"},
	};
	struct observe observe = {0};
	struct error error;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		check_error(parse(&observe, bad[i][0], err), bad[i][1]);
		observe_config_free(&observe);
		observe = (struct observe){0};
	}
	check(parse(&observe, "{\"observe\":null}", &error) == 0 && observed_wanted(&observe) == 0);
	observe_config_free(&observe);
	// The first exec is when its program begins, whatever else is wanted.
	observe = (struct observe){.connect = WATCH_RECORD};
	check(observed_wanted(&observe) == (OBSERVED_EXEC | OBSERVED_CONNECT));
}

static void test_lines(void)
{
	struct observed what = path_event(OBSERVED_WRITE, "/tmp/\xff\n");
	char text[64], *line;
	json_t *object = observed_json(&layer, &what, false, 1767225600000);

	line = json_dumps(object, JSON_COMPACT);
	check(strcmp(line, "{\"time\":\"2026-01-01T00:00:01.500Z\",\"bootMs\":1500,\"layer\":\"web\",\"event\":\"write\","
			   "\"declared\":false,\"pid\":12,\"uid\":33,\"program\":\"sh\",\"path\":\"/tmp/\xef\xbf\xbd\\n\"}") == 0);
	free(line);
	json_decref(object);
	what = address_event("2001:db8::1", 443, 6);
	observed_text(&what, text, sizeof text);
	check(strcmp(text, "connect [2001:db8::1]:443/tcp") == 0);
	what = address_event("192.0.2.1", 53, 17);
	observed_text(&what, text, sizeof text);
	check(strcmp(text, "connect 192.0.2.1:53/udp") == 0);
	what = path_event(OBSERVED_REFUSED, "/bin/z");
	object = observed_json(&layer, &what, true, 0);
	check(json_is_true(json_object_get(object, "refused")) && json_is_true(json_object_get(object, "declared")));
	json_decref(object);
}

static void test_records(void)
{
	static unsigned char record[sizeof(struct observed_head) + sizeof(struct observed_path)];
	struct observed_head head = {.kind = OBSERVED_EXEC};
	struct observed what;
	struct error other;
	int64_t length;

	memcpy(record, &head, sizeof head);
	memset(record + sizeof head + 8, 'x', OBSERVED_PATH);
	static const int64_t lengths[] = {0, -14, 1, 5, OBSERVED_PATH, OBSERVED_PATH + 1, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		length = lengths[i];
		memcpy(record + sizeof head, &length, sizeof length);
		// A path that is not whole is not known, and by that not declared.
		check(observed_parse(&what, record, sizeof record, &other) == 0 && what.path[0] == '\0');
	}
	for (size_t cut = 0; cut < sizeof record; cut += 7)
		check(observed_parse(&what, record, cut, &other) < 0);
	head.kind = 3;
	memcpy(record, &head, sizeof head);
	check_error(observed_parse(&what, record, sizeof record, err), "of kind 3");
}

static void test_programs(void)
{
	static const struct bpf_place place = {.cgroup = 1ull << 40 | 5, .level = 2, .wanted = 3, .told = 6, .unknown = 5, .ring = 4, .storage = 0xfe00001};
	size_t compared = 0;
	static const struct bpf_kernel kernel = {.bprm_filename = 96, .file_mode = 20, .file_inode = 32, .file_path = 64};

	for (int watch = 0; watch < BPF_WATCHES; watch++) {
		struct bpf_code code;
		bpf_code_make(&code, (enum bpf_watch)watch, &place, &kernel);
		check(code.count > 40 && code.count < CODE_MOST);
		check(code.at[code.count - 1].code == (BPF_JMP | BPF_EXIT));
		for (size_t i = 0; i < code.count; i++) {
			bool jumps = ((code.at[i].code & 7) == BPF_JMP || (code.at[i].code & 7) == BPF_JMP32) && (code.at[i].code & 0xf0) != BPF_CALL &&
				     (code.at[i].code & 0xf0) != BPF_EXIT;
			// Every jump was told where it ends: ahead, and not beyond.
			check(!jumps || (code.at[i].off > 0 && i + 1 + (size_t)code.at[i].off < code.count));
			compared += jumps && watch == BPF_WATCH_WRITE && code.at[i].imm == 0xfe00001;
		}
	}
	// What is written to storage, where a container has nothing but its volumes, is passed over before it takes room.
	check(compared == 1);
}

int main(void)
{
	test_rules();
	test_config();
	test_lines();
	test_records();
	test_programs();
	return check_result("observed");
}
