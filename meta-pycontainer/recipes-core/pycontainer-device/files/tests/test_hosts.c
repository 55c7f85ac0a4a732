// SPDX-License-Identifier: MIT
#include "check.h"
#include "hosts.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-hosts-XXXXXX";

static const char *path(const char *name)
{
	static char text[128];

	snprintf(text, sizeof text, "%s/%s", folder, name);
	return text;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path(name), "w");

	check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool holds(const char *name, const char *wanted)
{
	char text[256] = "";
	FILE *file = fopen(path(name), "r");
	size_t got = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);

	if (file != NULL)
		fclose(file);
	return got == strlen(wanted) && strcmp(text, wanted) == 0;
}

static void test_text(void)
{
	static const struct host hosts[] = {{"web", 0x0a580003}, {"db", 0x0a5800ca}};
	struct error none;
	size_t length;

	char *text = hosts_text(hosts, 2, "192.0.2.1\tgate\n", 15, &length, &none);
	check(length == strlen("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.88.0.3\tweb\n"
			       "10.88.0.202\tdb\n192.0.2.1\tgate\n"));
	check(memcmp(text + length - 44, "10.88.0.3\tweb\n10.88.0.202\tdb\n192.0.2.1\tgate\n", 44) == 0);
	free(text);
	text = hosts_text(NULL, 0, NULL, 0, &length, &none);
	check(length > 0 && memcmp(text, "127.0.0.1\tlocalhost\n", 20) == 0);
	free(text);
}

static void test_own(void)
{
	struct error none;
	size_t length;
	char *own;
	int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	check(hosts_own(root, &own, &length, &none) == 0 && own == NULL);
	check(mkdir(path("etc"), 0755) == 0);
	check(hosts_own(root, &own, &length, &none) == 0 && own == NULL);
	put("etc/real", "192.0.2.1 gate\n");
	// A link of an image is followed inside the image only.
	check(symlink("/etc/real", path("etc/hosts")) == 0);
	check(hosts_own(root, &own, &length, &none) == 0 && own != NULL && length == 15);
	free(own);
	check(unlink(path("etc/hosts")) == 0 && symlink("/etc/passwd", path("etc/hosts")) == 0);
	check(hosts_own(root, &own, &length, &none) == 0 && own == NULL);
	check(unlink(path("etc/hosts")) == 0 && mkfifo(path("etc/hosts"), 0644) == 0);
	check(hosts_own(root, &own, &length, &none) == 0 && own == NULL);
	check(unlink(path("etc/hosts")) == 0);
	FILE *file = fopen(path("etc/hosts"), "w");
	for (int i = 0; i <= HOSTS_OWN_MOST; i++)
		fputc('#', file);
	fclose(file);
	check_error(hosts_own(root, &own, &length, err), "larger than");
	close(root);
}

static void test_put(void)
{
	struct stat before, after;
	struct error none;
	char place[128];

	snprintf(place, sizeof place, "%s", path("run/hosts"));
	check(hosts_put(place, "web", "a longer text\n", 14, &none) == 0);
	check(holds("run/hosts/web", "a longer text\n") && stat(path("run/hosts/web"), &before) == 0);
	check(hosts_put(place, "web", "short\n", 6, &none) == 0);
	check(holds("run/hosts/web", "short\n") && stat(path("run/hosts/web"), &after) == 0);
	check(before.st_ino == after.st_ino);
	check_error(hosts_put(place, "../web", "x", 1, err), "no layer's name");
	check(symlink("web", path("run/hosts/link")) == 0);
	check(hosts_put(place, "link", "x", 1, &none) < 0 && holds("run/hosts/web", "short\n"));
}

int main(void)
{
	if (mkdtemp(folder) == NULL)
		return 1;
	test_text();
	test_own();
	test_put();
	static const char *const left[] = {"etc/hosts", "etc/real", "etc", "run/hosts/web", "run/hosts/link", "run/hosts",
					   "run", ""};
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		remove(path(left[i]));
	return check_result("hosts");
}
