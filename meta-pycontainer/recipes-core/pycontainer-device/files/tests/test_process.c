// SPDX-License-Identifier: MIT
// What is started in a container later is told to crun as the container's own process, but for its command.
#include "check.h"
#include "file.h"
#include "process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/process-XXXXXX", config[64], made[64];

static int make(const char *text, struct error *err)
{
	static const char *const command[] = {"/bin/sh", "", "a \"b\""};

	unlink(config);
	check(file_make(config, text, strlen(text), 0600, err) == 0);
	return process_make(config, command, 3, made, err);
}

static void test_made(void)
{
	struct error err;
	struct stat status;
	size_t length;

	// Twice: one that was left does not stand in the way, nor does it remain.
	for (int i = 0; i < 2; i++) {
		check(make("{\"root\":{},\"process\":{\"args\":[\"/bin/web\"],\"cwd\":\"/srv\",\"noNewPrivileges\":false,"
			   "\"rlimits\":[{\"hard\":2,\"soft\":1,\"type\":\"RLIMIT_NOFILE\"}]}}", &err) == 0);
		char *text = file_read(AT_FDCWD, made, 4096, &length, &err);
		check(text != NULL && strcmp(text, "{\"args\":[\"/bin/sh\",\"\",\"a \\\"b\\\"\"],\"cwd\":\"/srv\","
						   "\"noNewPrivileges\":true,"
						   "\"rlimits\":[{\"hard\":2,\"soft\":1,\"type\":\"RLIMIT_NOFILE\"}]}") == 0);
		free(text);
	}
	// Its environment may hold secrets.
	check(stat(made, &status) == 0 && (status.st_mode & 0777) == 0600);
	unlink(made);
}

int main(void)
{
	check(mkdtemp(folder) != NULL);
	snprintf(config, sizeof config, "%s/config.json", folder);
	snprintf(made, sizeof made, "%s/process.json", folder);
	test_made();
	check_error(make("{\"process\":[]}", err), "says nothing of a process");
	check_error(make("{}", err), "says nothing of a process");
	check_error(make("[]", err), "");
	static const char *const odd[] = {"\xff"};
	check(file_put(config, "{\"process\":{}}", &(struct error){""}) == 0);
	check_error(process_make(config, odd, 1, made, err), "not UTF-8");
	unlink(config);
	check_error(process_make(config, NULL, 0, made, err), "config.json");
	check(access(made, F_OK) < 0);
	rmdir(folder);
	return check_result("process");
}
