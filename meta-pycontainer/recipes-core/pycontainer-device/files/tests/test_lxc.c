// SPDX-License-Identifier: MIT
// What LXC runs: a configuration, a filter and words, taken apart strictly and laid where LXC looks for them.
#include "check.h"
#include "lxc.h"

#include <stdbool.h>
#include <unistd.h>

static int parse(const char *text, struct error *err)
{
	struct lxc_config config;
	int result = lxc_config_parse(&config, text, strlen(text), err);

	lxc_config_free(&config);
	return result;
}

static bool holds(const char *folder, const char *name, const char *bytes, size_t length)
{
	char path[256], found[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "re");
	size_t got = file == NULL ? 0 : fread(found, 1, sizeof found, file);
	if (file != NULL)
		fclose(file);
	return file != NULL && got == length && memcmp(found, bytes, length) == 0;
}

static void test_written(void)
{
	static const char text[] = "{\"args\":[\"/bin/sh\",\"-c\",\"echo a\\necho 'b'\",\"\"],\"config\":\"lxc.uts.name = a\\n\","
				   "\"seccomp\":\"2\\n\"}";
	char folder[] = "/tmp/lxc-XXXXXX", path[64];
	struct lxc_config config;
	struct error none;

	check(mkdtemp(folder) != NULL);
	check(lxc_config_parse(&config, text, sizeof text - 1, &none) == 0);
	check(lxc_config_write(&config, folder, &none) == 0);
	check(holds(folder, "config", "lxc.uts.name = a\n", 17) && holds(folder, "seccomp", "2\n", 2));
	// The words as they are: with line ends and quotes in them, and empty ones.
	check(holds(folder, "args", "/bin/sh\0-c\0echo a\necho 'b'\0", 28));
	// Never over files that are there.
	check_error(lxc_config_write(&config, folder, err), "File exists");
	lxc_config_remove(folder);
	lxc_config_free(&config);
	snprintf(path, sizeof path, "%s/config", folder);
	check(access(path, F_OK) < 0 && rmdir(folder) == 0);
}

int main(void)
{
	test_written();
	check_error(parse("[]", err), "not a JSON object");
	check_error(parse("{\"args\":[\"a\"],\"config\":\"\"}", err), "other members");
	check_error(parse("{\"args\":[\"a\"],\"config\":\"\",\"seccomp\":\"\",\"x\":1}", err), "other members");
	check_error(parse("{\"args\":[\"a\"],\"config\":1,\"seccomp\":\"\"}", err), "config: missing");
	check_error(parse("{\"args\":[\"a\"],\"config\":\"a\\rb\",\"seccomp\":\"\"}", err), "config: not a plain text");
	check_error(parse("{\"args\":[],\"config\":\"\",\"seccomp\":\"\"}", err), "names no program");
	check_error(parse("{\"args\":[\"\"],\"config\":\"\",\"seccomp\":\"\"}", err), "names no program");
	check_error(parse("{\"args\":[\"a\",1],\"config\":\"\",\"seccomp\":\"\"}", err), "args[1]");
	check_error(parse("{\"args\":[\"a\\u0000b\"],\"config\":\"\",\"seccomp\":\"\"}", err), "not valid JSON");
	return check_result("lxc");
}
