// SPDX-License-Identifier: MIT
#include "ctl.h"

#include <sodium.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCKET "/run/pycontainer/control.sock"

static void help(FILE *out)
{
	char synopsis[128];

	fputs("usage: pycontainerctl [--json] [--socket PATH] VERB [ARGUMENTS]\n\n", out);
	for (int verb = 0; verb < VERB_COUNT; verb++) {
		ctl_synopsis((enum verb)verb, synopsis, sizeof synopsis);
		fprintf(out, "  %s%s\n        %s\n", verbs[verb].name, synopsis, verbs[verb].help);
	}
	fputs("  relay\n        pass standard input and output on to the socket, for a transport\n\n"
	      "A REVISION is its id, or at least the first 4 digits of it. FILE may be - for standard input.\n"
	      "--json prints the objects of the device, one a line; --socket is " SOCKET " by default.\n"
	      "Exit status: 0, 2 wrong usage, 5 the device refused or failed, 75 the device cannot be reached;\n"
	      "of exec, the program's.\n", out);
}

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "pycontainerctl: %s%s\nSee pycontainerctl --help.\n", what, which);
	return CTL_USAGE;
}

static int report(const char *name, const char *text, int status)
{
	// A text of the device: one line, and nothing that steers a terminal.
	fprintf(stderr, "pycontainerctl: %s: ", name);
	for (; *text != '\0'; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, stderr);
	fputc('\n', stderr);
	return status;
}

static int finish(struct ctl *ctl, const json_t *final)
{
	const char *problem = json_string_value(json_object_get(final, "error"));

	if (ctl->json) {
		json_dumpf(final, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	}
	if (json_object_get(final, "error") != NULL)
		return report(verbs[ctl->verb].name, problem == NULL ? "refused" : problem, CTL_REFUSED);
	if (!ctl->json)
		ctl_show_final(ctl, final);
	if (fflush(stdout) != 0)
		return report(verbs[ctl->verb].name, "standard output cannot be written", CTL_REFUSED);
	if (ctl->verb == VERB_EXEC)
		return (int)json_integer_value(json_object_get(final, "status")) & 0xff;
	return CTL_OK;
}

static int ask(struct ctl *ctl, const char *path, char *const words[], size_t count)
{
	json_t *final = NULL;
	struct error err;
	int file = -1, result, status;
	json_t *request = ctl_request(ctl->verb, words, count, &file, &err);

	if (request == NULL)
		return report(verbs[ctl->verb].name, err.text, CTL_USAGE);
	if (link_open(&ctl->link, path, &err) < 0) {
		json_decref(request);
		return report(verbs[ctl->verb].name, err.text, CTL_UNREACHABLE);
	}
	result = link_put(&ctl->link, request, &err);
	if (result == 0)
		result = ctl->verb == VERB_EXEC ? ctl_exec(ctl, &final, &err) : ctl->verb == VERB_PUT
			? ctl_put(ctl, file, &final, &err) : ctl_converse(ctl, &final, &err);
	status = result < 0 ? report(verbs[ctl->verb].name, err.text, CTL_REFUSED) : finish(ctl, final);
	json_decref(final);
	link_close(&ctl->link);
	if (file >= 0)
		close(file);
	return status;
}

static int relay(struct ctl *ctl, const char *path)
{
	struct error err;

	if (link_open(&ctl->link, path, &err) < 0)
		return report("relay", err.text, CTL_UNREACHABLE);
	int result = ctl_relay(ctl, &err);
	link_close(&ctl->link);
	return result < 0 ? report("relay", err.text, CTL_REFUSED) : CTL_OK;
}

int ctl_main(int argc, char *argv[])
{
	struct ctl ctl = {.terminal = isatty(STDOUT_FILENO), .progress = isatty(STDERR_FILENO)};
	const char *path = SOCKET;
	int at = 1;

	// A reader that went away is told by a failed write.
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		return usage("the cryptographic library does not start", "");
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--json") == 0) {
			ctl.json = true;
		} else if (strcmp(argv[at], "--socket") == 0 && at + 1 < argc) {
			path = argv[++at];
		} else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
			help(stdout);
			return CTL_OK;
		} else {
			return usage("no such option, or one without its value: ", argv[at]);
		}
	}
	if (at == argc)
		return usage("no verb", "");
	if (strcmp(argv[at], "help") == 0) {
		help(stdout);
		return CTL_OK;
	}
	if (strcmp(argv[at], "relay") == 0)
		return at + 1 == argc ? relay(&ctl, path) : usage("relay takes no arguments", "");
	ctl.verb = verb_find(argv[at]);
	if (ctl.verb == VERB_COUNT)
		return usage("no such verb: ", argv[at]);
	return ask(&ctl, path, argv + at + 1, (size_t)(argc - at - 1));
}
