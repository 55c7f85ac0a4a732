// SPDX-License-Identifier: MIT
#include "group.h"
#include "serve.h"

// Collect the output of a request until its final line, which is returned.
static const char *collect(struct client *c, char *out, size_t size, char *errors, size_t errors_size)
{
	size_t used = 0, errors_used = 0;
	struct error err;

	out[0] = errors[0] = '\0';
	for (;;) {
		const char *line = client_line(c);
		json_t *object = line[0] == '{' ? json_loads(line, 0, NULL) : NULL;
		const char *text = json_string_value(json_object_get(object, "out"));
		bool is_out = text != NULL;
		if (!is_out)
			text = json_string_value(json_object_get(object, "err"));
		if (text == NULL) {
			json_decref(object);
			return line;
		}
		char *to = is_out ? out + used : errors + errors_used;
		size_t room = is_out ? size - used : errors_size - errors_used, got = 0;
		if (sodium_base642bin((unsigned char *)to, room - 1, text, strlen(text), NULL, &got, NULL,
				      sodium_base64_VARIANT_ORIGINAL) != 0)
			fail(&err, "base64");
		to[got] = '\0';
		used += is_out ? got : 0;
		errors_used += is_out ? 0 : got;
		json_decref(object);
	}
}

static char out[300000], errors[4096];

static bool run(struct client *c, const char *command, const char *input, const char *final)
{
	char line[1024];

	snprintf(line, sizeof line, "{\"verb\":\"exec\",\"container\":\"web\",\"command\":%s}\n%s", command, input);
	client_send(c, line);
	const char *found = collect(c, out, sizeof out, errors, sizeof errors);
	if (strcmp(found, final) != 0)
		printf("%s: %s\n", command, found);
	return strcmp(found, final) == 0;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

// `left`: it has to be ended by us.
static void test_client_leaves(const char *command, bool left)
{
	struct client *c = client_open("control.sock");
	unsigned before = workers_ended;
	char line[512];

	snprintf(line, sizeof line, "{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"sh\",\"-c\",\"%s\"]}\n", command);
	client_send(c, line);
	json_t *object = json_loads(client_line(c), 0, NULL);
	const char *text = json_string_value(json_object_get(object, "out"));
	char number[32] = "";
	size_t got;
	check(text != NULL && sodium_base642bin((unsigned char *)number, sizeof number - 1, text, strlen(text), NULL, &got, NULL,
						sodium_base64_VARIANT_ORIGINAL) == 0);
	json_decref(object);
	pid_t pid = (pid_t)atoi(number);
	check(pid > 1 && !is_gone(pid));
	client_close(c);
	serve_until(workers_ended == before + 1 && serve_connections() == 0);
	check(is_gone(pid) == !left);
	if (left)
		kill(pid, SIGKILL);
	snprintf(line, sizeof line, "%s/exec-%d.pid", root, (int)pid);
	check(access(line, F_OK) < 0);
	snprintf(line, sizeof line, "%s/exec-%d.json", root, (int)pid);
	check(access(line, F_OK) < 0);
}

int main(void)
{
	serve_begin();
	struct client *c = client_open("control.sock");
	check(run(c, "[\"sh\",\"-c\",\"echo out; echo err >&2; exit 7\"]", "", "{\"status\":7,\"ok\":true}"));
	check(strcmp(out, "out\n") == 0 && strcmp(errors, "err\n") == 0);
	check(run(c, "[\"sh\",\"-c\",\"kill -9 $$\"]", "", "{\"status\":137,\"ok\":true}"));
	// A word is a word, whatever is in it.
	check(run(c, "[\"printf\",\"%s|\",\"a b\",\"\",\"$x;\\\"\",\"-c\"]", "", "{\"status\":0,\"ok\":true}") && strcmp(out, "a b||$x;\"|-c|") == 0);
	// Input, its end, and what comes when the program reads no more or has ended.
	check(run(c, "[\"cat\"]", "{\"data\":\"aGVs\"}\n{\"data\":\"bG8=\"}\n{\"end\":true}\n", "{\"status\":0,\"ok\":true}") && strcmp(out, "hello") == 0);
	check(run(c, "[\"true\"]", "{\"data\":\"aGVs\"}\n{\"data\":\"bG8=\"}\n{\"end\":true}\n", "{\"status\":0,\"ok\":true}"));
	check(run(c, "[\"sh\",\"-c\",\"exec <&-; echo closed\"]", "{\"data\":\"aGVs\"}\n{\"data\":\"bG8=\"}\n", "{\"status\":0,\"ok\":true}"));
	check(strcmp(out, "closed\n") == 0);
	check(run(c, "[\"cat\"]", "{\"data\":7}\n", "{\"error\":\"neither {\\\"data\\\": <base64>} nor {\\\"end\\\": true}\"}"));
	// More than any pipe holds, and one that keeps the output open when it has ended.
	check(run(c, "[\"sh\",\"-c\",\"head -c 250000 /dev/zero | tr '\\\\0' y\"]", "", "{\"status\":0,\"ok\":true}"));
	check(strlen(out) == 250000 && strspn(out, "y") == 250000);
	check(run(c, "[\"sh\",\"-c\",\"sleep 100 & echo $!\"]", "", "{\"status\":0,\"ok\":true}"));
	pid_t left = (pid_t)atoi(out);
	check(left > 1 && !is_gone(left));
	if (left > 1)
		kill(left, SIGKILL);
	// Not in a container that there is not, and no program that there is not.
	client_send(c, "{\"verb\":\"exec\",\"container\":\"db\",\"command\":[\"true\"]}\n");
	static const char none[] = "{\"error\":\"container db: ";
	check(strncmp(client_line(c), none, sizeof none - 1) == 0);
	place.crun = "/nonexistent/crun";
	client_send(c, "{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"true\"]}\n");
	expect(c, "{\"error\":\"/nonexistent/crun: No such file or directory\"}");
	place.crun = stand_in;
	// Half closed: the program's input ends, its output still comes.
	client_send(c, "{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"cat\"]}\n{\"data\":\"aGVs\"}\n");
	shutdown(c->fd, SHUT_WR);
	check(strcmp(collect(c, out, sizeof out, errors, sizeof errors), "{\"status\":0,\"ok\":true}") == 0 && strcmp(out, "hel") == 0);
	client_close(c);
	serve_until(serve_connections() == 0);
	test_client_leaves("echo $$; exec sleep 1000", false);
	// One that does not want to end; and one whose number is by now that of a process outside the container.
	static const char deaf[] = "trap '' TERM; echo $$; while :; do sleep 1; done";
	char group[512], other[256];
	place.group = group;
	if (own_group(group))
		test_client_leaves(deaf, false);
	place.group = NULL;
	snprintf(other, sizeof other, "trap '' TERM; sleep 100 & echo $! >%s/exec-$PPID.pid; echo $!; while :; do sleep 1; done", root);
	test_client_leaves(other, true);
	serve_end();
	return check_result("exec");
}
