// SPDX-License-Identifier: MIT
#include "check.h"
#include "file.h"
#include "log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static char folder[] = "/tmp/pyc-log-XXXXXX";

static char *content(const char *name)
{
	struct error err;
	size_t length;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return file_read(AT_FDCWD, path, 1 << 20, &length, &err);
}

static bool holds(const char *name, const char *wanted)
{
	char *text = content(name);
	bool same = text != NULL && strcmp(text, wanted) == 0;

	if (!same)
		printf("%s: %s\n", name, text == NULL ? "(none)" : text);
	free(text);
	return same;
}

static void clear(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	unlink(path);
}

static void put(struct log *log, const char *text)
{
	struct error err;

	check(log_write(log, text, strlen(text), &err) == 0);
}

int main(void)
{
	struct log log;
	struct error err;

	check(mkdtemp(folder) != NULL);
	log_init(&log, folder, "web", 16, 3);
	put(&log, "one 5678\n");
	check(holds("web.log", "one 5678\n"));
	put(&log, "two 5678\n");
	check(holds("web.log", "two 5678\n") && holds("web.log.1", "one 5678\n"));
	put(&log, "3\n4\n5\nsix 56789\n");
	check(holds("web.log", "six 56789\n") && holds("web.log.1", "two 5678\n3\n4\n5\n"));
	check(holds("web.log.2", "one 5678\n"));
	check(strcmp(log.last, "six 56789") == 0);
	// A line longer than a file is cut; the oldest file goes.
	put(&log, "0123456789abcdefghijk\n");
	check(holds("web.log", "ghijk\n") && holds("web.log.1", "0123456789abcdef") && holds("web.log.2", "six 56789\n"));
	// A new start goes on where the old one ended.
	log_close(&log);
	log_init(&log, folder, "web", 16, 3);
	put(&log, "x\n");
	check(holds("web.log", "ghijk\nx\n"));
	// Fewer and smaller files from now on.
	put(&log, "0123456789abc\n");
	check(holds("web.log.2", "0123456789abcdef"));
	log_limit(&log, 8, 2);
	check(content("web.log.2") == NULL && holds("web.log", "0123456789abc\n") && holds("web.log.1", "ghijk\nx\n"));
	put(&log, "y\n");
	check(holds("web.log", "y\n") && holds("web.log.1", "0123456789abc\n") && content("web.log.2") == NULL);
	log_limit(&log, 16, 1);
	check(content("web.log.1") == NULL && holds("web.log", "y\n"));
	log_close(&log);

	log_init(&log, folder, "one", 16, 1);
	put(&log, "0123456789\n");
	put(&log, "abcdefghij\n");
	check(holds("one.log", "abcdefghij\n"));
	check(content("one.log.1") == NULL);
	log_close(&log);

	// What cannot be written is said once and counted; when it can be again, it goes on.
	log_init(&log, "/nonexistent", "web", 16, 2);
	check(log_write(&log, "lost\n", 5, &err) == -1 && strstr(err.text, "/nonexistent/web.log") != NULL);
	check(log_write(&log, "lost\n", 5, &err) == 0 && log.lost == 10 && strcmp(log.last, "lost") == 0);
	static const char *const names[] = {"web.log", "one.log"};
	for (size_t i = 0; i < 2; i++)
		clear(names[i]);
	check(rmdir(folder) == 0);
	return check_result("log");
}
