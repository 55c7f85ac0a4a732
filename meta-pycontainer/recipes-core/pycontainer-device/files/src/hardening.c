// SPDX-License-Identifier: MIT
#include "hardening.h"
#include "console.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *value;
} settings[] = {
	// Addresses and messages of the kernel help who attacks it.
	{"kernel.kptr_restrict", "1"},
	{"kernel.dmesg_restrict", "1"},
	// Parts of it that are large, and rarely needed by programs without privileges.
	{"kernel.perf_event_paranoid", "3"},
	{"kernel.unprivileged_userns_clone", "0"},
	{"kernel.io_uring_disabled", "1"},
	{"vm.unprivileged_userfaultfd", "0"},
	{"net.core.bpf_jit_harden", "1"},
	{"dev.tty.ldisc_autoload", "0"},
	// Programs of one user against each other.
	{"kernel.yama.ptrace_scope", "1"},
	{"fs.protected_fifos", "1"},
	{"fs.protected_regular", "2"},
};

// Does the command line have this word, up to its value?
static bool is_set(const char *command_line, const char *name)
{
	char word[96];

	snprintf(word, sizeof word, "sysctl.%s=", name);
	for (const char *at = strstr(command_line, word); at != NULL; at = strstr(at + 1, word))
		if (at == command_line || at[-1] == ' ')
			return true;
	return false;
}

void hardening_apply(void)
{
	struct error err;
	size_t read;
	char *command_line = file_read(AT_FDCWD, "/proc/cmdline", 16384, &read, &err);

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char path[128] = "/proc/sys/";
		if (command_line != NULL && is_set(command_line, settings[i].name))
			continue;
		size_t length = strlen(path);
		snprintf(path + length, sizeof path - length, "%s", settings[i].name);
		for (char *c = path + length; *c != '\0'; c++)
			*c = *c == '.' ? '/' : *c;
		if (file_put(path, settings[i].value, &err) < 0 && errno != ENOENT)
			console_line("hardening: %s", err.text);
	}
	free(command_line);
}
