// SPDX-License-Identifier: MIT
// The words of a command line as a request.
#include "ctl.h"
#include "request.h"
#include "fs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct argument *find_option(enum verb verb, const char *word)
{
	for (size_t i = 0; i < ARGUMENTS_MOST && verbs[verb].arguments[i].name != NULL; i++) {
		const struct argument *argument = &verbs[verb].arguments[i];
		if (argument->use != USE_OPTION)
			continue;
		// -f is --follow, -n is --lines; for a file system's label, -l.
		char letter = strcmp(argument->name, "lines") == 0 ? 'n' : argument->name[0];
		if ((word[1] == letter && word[2] == '\0') || (word[1] == '-' && strcmp(word + 2, argument->name) == 0))
			return argument;
	}
	return NULL;
}

static int set(json_t *request, const struct argument *argument, const char *word, struct error *err)
{
	json_t *value = NULL;
	char *end;

	if (json_object_get(request, argument->name) != NULL)
		return fail(err, "%s is given twice", argument->name);
	if (argument->form == FORM_NUMBER) {
		errno = 0;
		long long number = strtoll(word, &end, 10);
		if (!isdigit((unsigned char)word[0]) || *end != '\0' || errno != 0)
			return fail(err, "%s: not a number: %.80s", argument->name, word);
		value = json_integer(number);
	} else {
		value = argument->form == FORM_FLAG ? json_true() : json_string(word);
	}
	return json_object_set_new(request, argument->name, value) < 0 ? fail(err, "%s: not valid text", argument->name) : 0;
}

static int set_rest(json_t *request, const char *name, char *const words[], size_t count, struct error *err)
{
	json_t *texts = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(texts, json_string(words[i])) < 0) {
			json_decref(texts);
			return fail(err, "%s: word %zu is not valid text", name, i);
		}
	return json_object_set_new(request, name, texts) < 0 ? fail(err, "%s: no memory", name) : 0;
}

static int set_words(json_t *request, enum verb verb, char *const words[], size_t count, struct error *err)
{
	const struct argument *next = verbs[verb].arguments, *end = next + ARGUMENTS_MOST, *option;
	bool options = true;

	for (size_t i = 0; i < count; i++) {
		if (options && strcmp(words[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && words[i][0] == '-' && words[i][1] != '\0') {
			option = find_option(verb, words[i]);
			if (option == NULL)
				return fail(err, "no such option: %.80s", words[i]);
			if (option->form != FORM_FLAG && ++i == count)
				return fail(err, "%s has no value", words[i - 1]);
			if (set(request, option, words[i], err) < 0)
				return -1;
			continue;
		}
		while (next < end && next->name != NULL && next->use == USE_OPTION)
			next++;
		if (next == end || next->name == NULL)
			return fail(err, "one word too many: %.80s", words[i]);
		if (next->form == FORM_TEXTS)
			return set_rest(request, next->name, words + i, count - i, err);
		if (set(request, next++, words[i], err) < 0)
			return -1;
	}
	return 0;
}

// A pipe can be read once only, and the digest comes first.
static int spool(int from, struct error *err)
{
	FILE *copy = tmpfile();
	char block[65536];
	ssize_t got = -1;

	if (copy == NULL)
		return fail_errno(err, "temporary file");
	while ((got = read(from, block, sizeof block)) > 0)
		if (fwrite(block, 1, (size_t)got, copy) != (size_t)got)
			break;
	int fd = got == 0 && fflush(copy) == 0 ? dup(fileno(copy)) : -1;
	if (fd < 0)
		fail_errno(err, "temporary file");
	fclose(copy);
	return fd;
}

static int open_file(const char *path, struct error *err)
{
	struct stat status;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0)
		return fail_errno(err, "%s", path);
	if (S_ISREG(status.st_mode))
		return fd;
	int copy = spool(fd, err);
	close(fd);
	return copy < 0 ? fail_in(err, "%s", path) : copy;
}

static int set_file(json_t *request, char *const words[], size_t count, int *file, struct error *err)
{
	char digest[7 + HEX_SIZE] = "sha256:";
	struct stat status;
	struct fs fs;

	if (count != 1)
		return fail(err, "one file is given, or - for standard input");
	*file = open_file(words[0], err);
	if (*file < 0)
		return -1;
	if (fstat(*file, &status) < 0)
		return fail_errno(err, "%s", words[0]);
	fs_real(&fs, "/");
	if (fs_hash(&fs, *file, digest + 7, err) < 0)
		return fail_in(err, "%s", words[0]);
	if (json_object_set_new(request, "digest", json_string(digest)) < 0 ||
	    json_object_set_new(request, "size", json_integer(status.st_size)) < 0)
		return fail(err, "no memory for a request");
	return 0;
}

json_t *ctl_request(enum verb verb, char *const words[], size_t count, int *file, struct error *err)
{
	json_t *request = json_pack("{s:s}", "verb", verbs[verb].name);
	int result = request == NULL ? fail(err, "no memory for a request")
		: verb == VERB_PUT ? set_file(request, words, count, file, err) : set_words(request, verb, words, count, err);

	if (result == 0)
		result = request_check(request, verb, err);
	if (result == 0)
		return request;
	if (*file >= 0)
		close(*file);
	*file = -1;
	json_decref(request);
	return NULL;
}

void ctl_synopsis(enum verb verb, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if (verb == VERB_PUT) {
		snprintf(out, size, " FILE");
		return;
	}
	for (size_t i = 0; i < ARGUMENTS_MOST && verbs[verb].arguments[i].name != NULL && used < size; i++) {
		const struct argument *argument = &verbs[verb].arguments[i];
		char upper[32];
		size_t length = 0;
		for (; argument->name[length] != '\0' && length + 1 < sizeof upper; length++)
			upper[length] = (char)toupper((unsigned char)argument->name[length]);
		upper[length] = '\0';
		const char *open = argument->use == USE_NEEDED ? " " : " [", *close = argument->use == USE_NEEDED ? "" : "]";
		bool option = argument->use == USE_OPTION, value = argument->form != FORM_FLAG;
		used += (size_t)snprintf(out + used, size - used, "%s%s%s%s%s%s%s", open, option ? "--" : "",
					 option ? argument->name : "", option && value ? " " : "", value ? upper : "",
					 argument->form == FORM_TEXTS ? "..." : "", close);
	}
}
