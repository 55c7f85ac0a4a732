// SPDX-License-Identifier: MIT
// liblxc behind crun's command line: run, exec and delete, in the words in which the device program asks them of crun.
// The bundle of a container is its folder in LXC's own sense: "config" is an lxc.container.conf(5), "args" the words of
// its program, each ended by a zero byte.
#include "common.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A name of the device program's: no path, nothing hidden.
static bool is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < 64 && text[0] != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

int main(int argc, char **argv)
{
	struct lxc_log log = {.name = NULL, .file = "/dev/console", .level = "ERROR", .prefix = "lxc"};
	const char *bundle = NULL, *pid_file = NULL, *verb = NULL;
	int at = 1;

	// What our caller has open is not for a container, and liblxc closes nothing that it is not told of.
	close_range(3, ~0u, 0);
	for (; at < argc; at++) {
		const char *word = argv[at];
		if (strcmp(word, "--root") == 0 && at + 1 < argc)
			at++;
		else if (strcmp(word, "--bundle") == 0 && at + 1 < argc)
			bundle = argv[++at];
		else if (strcmp(word, "--pid-file") == 0 && at + 1 < argc)
			pid_file = argv[++at];
		else if (word[0] == '-')
			continue;
		else if (verb == NULL)
			verb = word;
		else
			break;
	}
	if (verb == NULL || at == argc || !is_name(argv[at])) {
		fputs("usage: pycontainer-lxc run --bundle FOLDER --pid-file FILE NAME\n"
		      "       pycontainer-lxc exec [--pid-file FILE] NAME PROGRAM [ARGUMENT...]\n"
		      "       pycontainer-lxc delete NAME\n", stderr);
		return 2;
	}
	lxc_log_init(&log);
	if (strcmp(verb, "run") == 0 && bundle != NULL && pid_file != NULL)
		return run(bundle, pid_file, argv[at]);
	if (strcmp(verb, "exec") == 0 && at + 1 < argc)
		return enter(pid_file, argv[at], argv + at + 1);
	if (strcmp(verb, "delete") == 0)
		return forget(argv[at]);
	complain(verb, "not understood");
	return 2;
}
