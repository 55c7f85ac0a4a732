// SPDX-License-Identifier: MIT
#include "modules_index.h"
#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INDEX_LIMIT (32u << 20)

char *modules_line(char **rest)
{
	while (*rest != NULL && **rest != '\0') {
		char *line = *rest;
		char *end = line + strcspn(line, "\n");
		*rest = *end == '\0' ? end : end + 1;
		*end = '\0';
		if (*line != '\0' && *line != '#')
			return line;
	}
	return NULL;
}

static size_t count_lines(const char *text)
{
	size_t count = 1;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

size_t modules_base(const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');

	*base = slash == NULL ? path : slash + 1;
	return strcspn(*base, ".");
}

static char same(char c)
{
	return c == '-' ? '_' : c;
}

int modules_compare(const char *a, const char *b)
{
	while (*a != '\0' && same(*a) == same(*b)) {
		a++;
		b++;
	}
	return (unsigned char)same(*a) - (unsigned char)same(*b);
}

static int compare_modules(const void *a, const void *b)
{
	return modules_compare(((const struct module *)a)->name, ((const struct module *)b)->name);
}

struct module *modules_find(const struct modules *index, const char *name)
{
	struct module key = {.name = name};

	return bsearch(&key, index->modules, index->module_count, sizeof key, compare_modules);
}

static int index_dep(struct modules *index, struct error *err)
{
	char *rest = index->dep, *line;

	index->modules = calloc(count_lines(index->dep), sizeof *index->modules);
	if (index->modules == NULL)
		return fail_errno(err, "modules.dep");
	while ((line = modules_line(&rest)) != NULL) {
		char *colon = strchr(line, ':');
		if (colon == NULL)
			return fail(err, "modules.dep: a line without a colon");
		*colon = '\0';
		const char *base;
		size_t length = modules_base(line, &base);
		char *name = strndup(base, length);
		if (name == NULL)
			return fail_errno(err, "modules.dep");
		index->modules[index->module_count++] =
			(struct module){.name = name, .path = line, .needs = colon + 1};
	}
	qsort(index->modules, index->module_count, sizeof *index->modules, compare_modules);
	return 0;
}

static int index_alias(struct modules *index, struct error *err)
{
	char *rest = index->alias, *line, *save;

	index->aliases = calloc(count_lines(index->alias), sizeof *index->aliases);
	if (index->aliases == NULL)
		return fail_errno(err, "modules.alias");
	while ((line = modules_line(&rest)) != NULL) {
		const char *word = strtok_r(line, " ", &save);
		const char *pattern = strtok_r(NULL, " ", &save);
		const char *module = strtok_r(NULL, " ", &save);
		if (word == NULL || strcmp(word, "alias") != 0 || pattern == NULL || module == NULL)
			continue;
		index->aliases[index->alias_count++] =
			(struct alias){.pattern = pattern, .module = module, .literal = strcspn(pattern, "*?[\\")};
	}
	return 0;
}

static int index_softdep(struct modules *index, struct error *err)
{
	char *rest = index->softdep, *line;

	index->softdeps = calloc(count_lines(index->softdep), sizeof *index->softdeps);
	if (index->softdeps == NULL)
		return fail_errno(err, "modules.softdep");
	while ((line = modules_line(&rest)) != NULL)
		if (strncmp(line, "softdep ", 8) == 0)
			index->softdeps[index->softdep_count++] = line + 8;
	return 0;
}

static char *read_index(const struct modules *index, const char *name, bool required, struct error *err)
{
	char path[PATH_MAX + 32];
	size_t length;

	snprintf(path, sizeof path, "%s/%s", index->folder, name);
	if (!required && access(path, R_OK) < 0)
		return strdup("");
	return file_read(AT_FDCWD, path, INDEX_LIMIT, &length, err);
}

struct modules *modules_open_at(const char *folder, int (*insert)(const char *, void *, struct error *), void *context,
				struct error *err)
{
	struct modules *index = calloc(1, sizeof *index);

	if (index == NULL) {
		fail_errno(err, "modules");
		return NULL;
	}
	snprintf(index->folder, sizeof index->folder, "%s", folder);
	index->insert = insert;
	index->context = context;
	index->dep = read_index(index, "modules.dep", true, err);
	if (index->dep != NULL)
		index->alias = read_index(index, "modules.alias", false, err);
	if (index->alias != NULL)
		index->softdep = read_index(index, "modules.softdep", false, err);
	if (index->softdep == NULL || index_dep(index, err) < 0 || index_alias(index, err) < 0 ||
	    index_softdep(index, err) < 0) {
		modules_close(index);
		return NULL;
	}
	return index;
}

void modules_close(struct modules *index)
{
	if (index == NULL)
		return;
	for (size_t i = 0; i < index->module_count; i++)
		free((char *)index->modules[i].name);
	free(index->modules);
	free(index->aliases);
	free(index->softdeps);
	free(index->dep);
	free(index->alias);
	free(index->softdep);
	free(index);
}
