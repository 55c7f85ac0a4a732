// SPDX-License-Identifier: MIT
#include "cmdline.h"
#include "file.h"
#include "text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int take(char *out, size_t size, bool exact, const char *word, size_t length, const char *key, struct error *err)
{
	if (out[0] != '\0')
		return fail(err, "%s is given twice on the kernel command line", key);
	// GRUB passes on what it did not find out as an empty word; what is needed is missed below.
	if (length == 0)
		return 0;
	if (length + 1 > size || (exact && length + 1 != size))
		return fail(err, "%s on the kernel command line does not have %s%zu characters", key, exact ? "" : "at most ",
			    size - 1);
	memcpy(out, word, length);
	out[length] = '\0';
	return 0;
}

static bool is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !text_is_hex_digit(text[i]))
			return false;
	}
	return text[36] == '\0';
}

int cmdline_parse(struct cmdline *out, const char *text, struct error *err)
{
	static const char panic[] = "pycontainer.panic=poweroff";
	const struct {
		const char *key;
		char *value;
		size_t size;
		bool exact;
	} ours[] = {
		{"pycontainer.revision", out->revision, sizeof out->revision, true},
		{"pycontainer.storage", out->storage, sizeof out->storage, true},
		{"pycontainer.esp", out->esp, sizeof out->esp, true},
		{"pycontainer.control", out->control, sizeof out->control, false},
	};

	memset(out, 0, sizeof *out);
	for (const char *word = text; *word != '\0';) {
		size_t length = strcspn(word, " \t\n");
		for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
			size_t key = strlen(ours[i].key);
			if (length > key && memcmp(word, ours[i].key, key) == 0 && word[key] == '=' &&
			    take(ours[i].value, ours[i].size, ours[i].exact, word + key + 1, length - key - 1, ours[i].key, err) < 0)
				return -1;
		}
		if (length == sizeof panic - 1 && memcmp(word, panic, length) == 0)
			out->panic_poweroff = true;
		word += length;
		word += strspn(word, " \t\n");
	}
	if (!text_is_hex64(out->revision))
		return fail(err, "the kernel command line names no revision (pycontainer.revision=<64 hex digits>)");
	if (!is_uuid(out->storage))
		return fail(err, "the kernel command line names no storage (pycontainer.storage=<UUID>)");
	if (out->esp[0] != '\0' && !is_uuid(out->esp))
		return fail(err, "pycontainer.esp on the kernel command line is not a UUID");
	return 0;
}

int cmdline_read(struct cmdline *out, struct error *err)
{
	size_t length;
	char *text = file_read(AT_FDCWD, "/proc/cmdline", 16384, &length, err);

	if (text == NULL)
		return -1;
	int result = cmdline_parse(out, text, err);
	free(text);
	return result;
}
