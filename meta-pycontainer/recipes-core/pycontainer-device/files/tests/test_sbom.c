// SPDX-License-Identifier: MIT
#include "serve.h"

static void test_find(void)
{
	struct layer layers[] = {{.name = "bsp", .kind = "bsp"}, {.name = "web", .kind = "app", .container = true}};
	struct blob all[] = {{.layer = "bsp", .role = "kernel", .digest = "1"}, {.layer = "bsp", .role = "sbom", .digest = "2"},
			     {.layer = "web", .role = "rootfs", .digest = "3"}};
	const struct revision revision = {.layers = layers, .layer_count = 2, .blobs = all, .blob_count = 3};
	struct error err;

	check(sbom_find(&revision, "bsp", &err) == &all[1]);
	check(sbom_find(&revision, "web", &err) == NULL && strstr(err.text, "keeps no documents") != NULL);
	check(sbom_find(&revision, "db", &err) == NULL && strstr(err.text, "no layer db") != NULL);
}

static void put_file(const char *name, const char *bytes, size_t length)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s.json", root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && close(fd) == 0);
}

// A document of one long line comes back byte for byte, and no character is cut in two.
static void test_send(void)
{
	struct client *c = client_open("control.sock");
	size_t size = 100001, length = 0;
	char *text = malloc(size + 1);

	text[0] = '"';
	for (size_t i = 1; i < size; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[size] = '\n';
	put_file("web", text, size + 1);
	client_send(c, "{\"verb\":\"sbom\",\"layer\":\"web\"}\n");
	for (bool more = true; more;) {
		json_t *object = json_loads(client_line(c), 0, NULL);
		const json_t *line = json_object_get(object, "line");
		more = json_is_true(json_object_get(object, "more"));
		check(json_string_length(line) <= LOGS_PIECE && length + json_string_length(line) <= size);
		check(json_string_value(line) != NULL && memcmp(json_string_value(line), text + length, json_string_length(line)) == 0);
		length += json_string_length(line);
		json_decref(object);
	}
	check(length == size);
	expect(c, "{\"ok\":true}");
	put_file("none", "", 0);
	client_send(c, "{\"verb\":\"sbom\",\"layer\":\"none\"}\n");
	expect(c, "{\"ok\":true}");
	put_file("open", "{}", 2);
	client_send(c, "{\"verb\":\"sbom\",\"layer\":\"open\"}\n");
	expect(c, "{\"line\":\"{}\"}");
	expect(c, "{\"ok\":true}");
	free(text);
	client_close(c);
	serve_until(serve_connections() == 0);
}

int main(void)
{
	serve_begin();
	test_find();
	test_send();
	serve_end();
	return check_result("sbom");
}
