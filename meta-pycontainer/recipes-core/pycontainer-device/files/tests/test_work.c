// SPDX-License-Identifier: MIT
#include "serve.h"

#define D64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static unsigned working(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < SLOTS; i++)
		count += control.connections[i].state == CONNECTION_WORKING;
	return count;
}

static void test_answers(void)
{
	struct client *c = client_open("control.sock");

	client_send(c, "{\"verb\":\"install\",\"id\":\"i\"}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"progress\":{\"step\":\"copy\",\"done\":0,\"total\":1000},\"id\":\"i\"}");
	// The second came at once after the first and tells nothing new.
	expect(c, "{\"progress\":{\"step\":\"copy\",\"done\":1000,\"total\":1000},\"id\":\"i\"}");
	expect(c, "{\"revision\":\"sha256:abcd\",\"copied\":3145728,\"blobs\":4,\"ok\":true,\"id\":\"i\"}");
	expect(c, "{\"ok\":true}");
	// One that died, one that died amidst a line; the connection lives on.
	client_send(c, "{\"verb\":\"confirm\",\"id\":\"d\"}\n");
	expect(c, "{\"error\":\"confirm ended early, by signal 9\",\"id\":\"d\"}");
	client_send(c, "{\"verb\":\"poweroff\"}\n");
	expect(c, "{\"half");
	expect(c, "{\"error\":\"poweroff ended early, with status 3\"}");
	client_send(c, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ok\":true}");
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_input(void)
{
	struct client *c = client_open("control.sock");
	char line[256], digest[HEX_SIZE];
	const char *text = "hello, blob";

	hash_bytes(digest, text, strlen(text));
	snprintf(line, sizeof line, "{\"verb\":\"put\",\"digest\":\"sha256:%s\",\"size\":%zu}\n", digest, strlen(text));
	client_send(c, line);
	expect(c, "{\"ready\":{\"offset\":0}}");
	client_send(c, "{\"data\":\"aGVsbG8s\"}\n\n{\"da");
	for (int i = 0; i < 10; i++)
		serve_step(1);
	client_send(c, "ta\":\"IGJsb2I=\"}\n");
	expect(c, "{\"ok\":true}");
	// All in one piece: the worker takes what process 1 had read already, process 1 what the worker left.
	client_send(c, line);
	client_send(c, "{\"data\":\"aGVsbG8sIGJsb2I=\"}\n{\"end\":true}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ready\":{\"offset\":0}}");
	expect(c, "{\"ok\":true}");
	expect(c, "{\"ok\":true}");
	// An early end; another request in the place of more; an end of the connection's half.
	client_send(c, line);
	client_send(c, "{\"data\":\"aGVsbG8s\"}\n{\"end\":true}\n");
	expect(c, "{\"ready\":{\"offset\":0}}");
	expect(c, "{\"got\":6,\"ok\":true}");
	client_send(c, line);
	client_send(c, "{\"data\":\"aGVs\"}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ready\":{\"offset\":0}}");
	expect(c, "{\"got\":3,\"ok\":true}");
	expect(c, "{\"ok\":true}");
	// What it need not send, because another blob has it.
	client_send(c, line);
	client_send(c, "{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":70000,\"size\":16777216}}\n");
	expect(c, "{\"ready\":{\"offset\":0}}");
	expect(c, "{\"copied\":\"" D64 "\",\"offset\":70000,\"bytes\":16777216,\"ok\":true}");
	// What is not understood ends it.
	static const char *const wrong[] = {"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":0,\"size\":16777217}}\n",
		"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":0,\"size\":0}}\n",
		"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":-1,\"size\":1}}\n",
		"{\"copy\":{\"digest\":\"sha256:../\",\"offset\":0,\"size\":1}}\n",
		"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":0,\"size\":1,\"x\":1}}\n",
		"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"size\":1}}\n", "{\"copy\":[]}\n",
		"{\"copy\":{\"digest\":\"sha256:" D64 "\",\"offset\":0,\"size\":1},\"data\":\"\"}\n",
		"{\"data\":\"a===\"}\n", "{\"data\":7}\n", "{\"end\":false}\n", "{\"data\":\"\",\"x\":1}\n", "x\n"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		client_send(c, line);
		client_send(c, wrong[i]);
		expect(c, "{\"ready\":{\"offset\":0}}");
		check(strncmp(client_line(c), "{\"error\":\"", 10) == 0);
	}
	client_send(c, line);
	client_send(c, "{\"data\":\"aGVs\"}\n");
	shutdown(c->fd, SHUT_WR);
	expect(c, "{\"ready\":{\"offset\":0}}");
	expect(c, "{\"got\":3,\"ok\":true}");
	expect(c, "");
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_gone(void)
{
	struct client *c = client_open("control.sock"), *other = client_open("control.sock");
	struct error err;
	unsigned before = workers_ended;

	// The client goes away: so does the worker, and others are served meanwhile.
	client_send(c, "{\"verb\":\"rollback\"}\n");
	expect(c, "{\"waiting\":true}");
	check(working() == 1);
	client_send(other, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(other, "{\"ok\":true}");
	client_close(c);
	serve_until(workers_ended == before + 1 && serve_connections() == 1);
	// A container that loses its socket loses its workers.
	check(control_listen_container(&control, "web", VERBS_ALL, &err) == 0);
	struct client *web = client_open("control/web/control.sock");
	client_send(web, "{\"verb\":\"rollback\"}\n");
	expect(web, "{\"waiting\":true}");
	control_close_container(&control, "web");
	expect(web, "");
	check(workers_ended == before + 2 && serve_connections() == 1);
	// A worker that cannot be ended by a wish is ended by the machine's end: serve_end counts them.
	client_send(other, "{\"verb\":\"rollback\"}\n");
	expect(other, "{\"waiting\":true}");
	control_end(&control);
	expect(other, "");
	check(workers_ended == before + 3 && serve_connections() == 0);
	client_close(web);
	client_close(other);
}

// On a stream, nobody tells that the other side was replaced by another one: its first request does.
static void test_stream(void)
{
	int ends[2];
	struct error err;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	check(control_add_stream(&control, ends[0], "port", &err) == 0);
	struct client *c = client_of(ends[1]);
	client_send(c, "{\"verb\":\"put\",\"digest\":\"sha256:" D64 "\",\"size\":100,\"id\":\"old\"}\n");
	expect(c, "{\"ready\":{\"offset\":0},\"id\":\"old\"}");
	client_send(c, "{\"data\":\"aG\n{\"verb\":\"try\",\"revision\":\"abcd\",\"id\":\"new\"}\n");
	expect(c, "{\"ok\":true,\"id\":\"new\"}");
	client_send(c, "{\"verb\":\"put\",\"digest\":\"sha256:" D64 "\",\"size\":3}\n");
	expect(c, "{\"ready\":{\"offset\":0}}");
	client_send(c, "{\"data\":\"aGVs\"}\n");
	check(strncmp(client_line(c), "{\"error\":\"the bytes have digest sha256:", 39) == 0);
	client_close(c);
	for (int i = 0; i < 10; i++)
		serve_step(0);
	check(serve_step(0) == 0);
}

int main(void)
{
	serve_begin();
	test_answers();
	test_input();
	test_gone();
	test_stream();
	serve_end();
	return check_result("work");
}
