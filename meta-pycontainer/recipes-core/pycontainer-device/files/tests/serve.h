// SPDX-License-Identifier: MIT
// A control server of dummy handlers, run step by step, and clients of it.
#pragma once
#include "check.h"
#include "console.h"
#include "control.h"
#include "exec.h"
#include "fs.h"
#include "logs.h"
#include "sbom.h"
#include "verity.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAG ((uint64_t)7 << 32)
// When a test gives up; nothing takes long.
#define PATIENCE_MS 60000

static char root[64] = "/tmp/pyc-control-XXXXXX";
static struct control control;
static int epoll_fd = -1;
static struct exec_place place = {root, root, NULL};
static char stand_in[128];

static uint64_t held;		// the session of the last "start"
static unsigned asked;		// how often "version" was
static unsigned workers_ended, others_ended;
static int other_status;

static void do_version(struct request *request)
{
	asked++;
	control_answer(request, json_pack("{s:i, s:s, s:i}", "protocol", 1, "who", request->who, "origin", (int)request->origin));
}

static void do_status(struct request *request)
{
	control_answer(request, json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:i, s:i, s:[s]}, s:n, s:i, s:n, s:{s:i, s:i}, s:i, s:b}",
		"product", "demo", "version", "1.0\033[2J", "revision",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "state", "trying", "trial", "revision",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "from",
		"sha256:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "how", "live", "elapsedMs", 61500,
		"timeoutMs", 300000, "waiting", "web is not healthy", "outcome", "floor", 3, "record", "storage", "size", 1073741824,
		"free", 1572864, "uptimeMs", 93784000, "watchdog", 1));
}

static void do_ps(struct request *request)
{
	control_answer(request, json_pack("{s:[{s:s, s:s, s:s, s:n, s:i, s:i, s:i, s:i}, {s:s, s:s, s:s, s:s}]}", "containers", "name",
		"web", "kind", "app", "state", "running", "health", "pid", 12, "restarts", 0, "runningMs", 5400, "memory", 2048,
		"name", "db\xc3\xa9", "kind", "app", "state", "failed", "health", "bad"));
}

static void do_logs(struct request *request)
{
	control_work(request, logs_run, root);
}

static void do_exec(struct request *request)
{
	control_work(request, exec_run, &place);
}

static void do_start(struct request *request)
{
	held = control_hold(request);
}

static void do_stop(struct request *request)
{
	struct error err;

	// Bytes that are no UTF-8 may come from anywhere.
	fail(&err, "no such container: %s\xff", json_string_value(json_object_get(request->arguments, "container")));
	control_refuse(request, &err);
}

static void do_restart(struct request *request)
{
	(void)request;
}

static json_t *install(struct work *work, void *context, struct error *err)
{
	(void)context;
	if (work_progress(work, "copy", 0, 1000, err) < 0 || work_progress(work, "copy", 10, 1000, err) < 0 ||
	    work_progress(work, "copy", 1000, 1000, err) < 0)
		return NULL;
	if (json_object_get(work->arguments, "signature") != NULL)
		return json_pack("{s:[{s:s, s:i, s:i}]}", "missing", "digest", "sha256:aa", "size", 5, "offset", 2);
	return json_pack("{s:s, s:i, s:i}", "revision", "sha256:abcd", "copied", 3145728, "blobs", 4);
}

static void do_install(struct request *request)
{
	control_work(request, install, NULL);
}

static json_t *put(struct work *work, void *context, struct error *err)
{
	static unsigned char bytes[WORK_DATA_MOST];
	char path[128], digest[7 + HEX_SIZE] = "sha256:";
	json_int_t size = json_integer_value(json_object_get(work->arguments, "size")), got = 0;
	size_t length;

	(void)context;
	snprintf(path, sizeof path, "%s/put", root);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || work_line(work, json_pack("{s:{s:i}}", "ready", "offset", 0), err) < 0)
		return NULL;
	while (got < size) {
		enum work_input input = work_wait(work, bytes, &length, PATIENCE_MS, err);
		if (input == WORK_WRONG)
			return NULL;
		if (input == WORK_COPY)
			return json_pack("{s:s, s:I, s:I}", "copied", work->copy.digest, "offset",
					 (json_int_t)work->copy.offset, "bytes", (json_int_t)work->copy.size);
		if (input != WORK_DATA)
			return json_pack("{s:I}", "got", got);
		if (write(fd, bytes, length) != (ssize_t)length) {
			fail_errno(err, "write");
			return NULL;
		}
		got += (json_int_t)length;
	}
	struct fs fs;
	fs_real(&fs, "/");
	if (fs_hash(&fs, fd, digest + 7, err) < 0)
		return NULL;
	close(fd);
	if (strcmp(digest, json_string_value(json_object_get(work->arguments, "digest"))) != 0) {
		fail(err, "the bytes have digest %s", digest);
		return NULL;
	}
	return json_object();
}

static void do_put(struct request *request)
{
	control_work(request, put, NULL);
}

static void do_try(struct request *request)
{
	control_answer(request, NULL);
}

static json_t *die(struct work *work, void *context, struct error *err)
{
	(void)work;
	(void)context;
	(void)err;
	raise(SIGKILL);
	return NULL;
}

static void do_confirm(struct request *request)
{
	control_work(request, die, NULL);
}

static json_t *wait_until_gone(struct work *work, void *context, struct error *err)
{
	(void)context;
	if (work_line(work, json_pack("{s:b}", "waiting", 1), err) < 0)
		return NULL;
	for (uint64_t end = clock_ms() + PATIENCE_MS; !work_gone(work) && clock_ms() < end;)
		usleep(1000);
	return json_object();
}

static void do_rollback(struct request *request)
{
	control_work(request, wait_until_gone, NULL);
}

static void do_revisions(struct request *request)
{
	control_answer(request, json_pack("{s:[{s:s, s:s, s:b, s:b, s:i}]}", "revisions", "revision",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "version", "1.0", "running", 1, "complete", 0,
		"size", 1536));
}

static void do_gc(struct request *request)
{
	control_answer(request, json_pack("{s:{s:i, s:i}, s:i}", "removed", "revisions", 1, "blobs", 2, "freed", 4096));
}

static void do_volumes(struct request *request)
{
	control_answer(request, json_pack("{s:[]}", "volumes"));
}

static json_t *text_of(size_t length)
{
	char *text = malloc(length + 1);

	memset(text, 'x', length);
	text[length] = '\0';
	json_t *object = json_pack("{s:s}", "text", text);
	free(text);
	return object;
}

static void do_identity(struct request *request)
{
	control_answer(request, text_of(200000));
}

static void do_reboot(struct request *request)
{
	control_answer(request, text_of(100000));
}

static json_t *half_line(struct work *work, void *context, struct error *err)
{
	(void)context;
	(void)err;
	work->shared->half = true;
	if (write(work->lines.fd, "{\"half", 6) != 6)
		_exit(4);
	_exit(3);
}

static void do_poweroff(struct request *request)
{
	control_work(request, half_line, NULL);
}

static json_t *sbom(struct work *work, void *context, struct error *err)
{
	char path[128];

	(void)context;
	snprintf(path, sizeof path, "%s/%.60s.json", root, json_string_value(json_object_get(work->arguments, "layer")));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fail_errno(err, "%s", path);
		return NULL;
	}
	return sbom_send(work, fd, err);
}

static void do_sbom(struct request *request)
{
	control_work(request, sbom, NULL);
}

static const struct handlers handlers = {.of = {
	[VERB_VERSION] = do_version, [VERB_STATUS] = do_status, [VERB_PS] = do_ps, [VERB_LOGS] = do_logs,
	[VERB_OBSERVE] = do_logs,
	[VERB_EXEC] = do_exec, [VERB_START] = do_start, [VERB_STOP] = do_stop, [VERB_RESTART] = do_restart,
	[VERB_INSTALL] = do_install, [VERB_PUT] = do_put, [VERB_TRY] = do_try, [VERB_CONFIRM] = do_confirm,
	[VERB_ROLLBACK] = do_rollback, [VERB_REVISIONS] = do_revisions, [VERB_GC] = do_gc, [VERB_VOLUMES] = do_volumes,
	[VERB_IDENTITY] = do_identity, [VERB_REBOOT] = do_reboot, [VERB_POWEROFF] = do_poweroff,
	[VERB_SBOM] = do_sbom,
}};

// In the place of crun: what comes after the name runs here, and its number is where crun would write it.
static const char stand_in_text[] =
	"#!/bin/sh\n"
	"[ \"$1 $2 $3 $4 $5 $6 $8\" = '--root /run/crun --cgroup-manager=cgroupfs exec --no-new-privs --process --pid-file' ] || exit 99\n"
	"[ -f \"$7\" ] || exit 97; echo $$ >\"$9\"; shift 9; [ \"$1\" = web ] || exit 98; shift\n"
	"exec \"$@\"\n";

static inline void serve_begin(void)
{
	struct error err = {""};

	signal(SIGPIPE, SIG_IGN);
	check(sodium_init() >= 0 && mkdtemp(root) != NULL && chmod(root, 0755) == 0);
	snprintf(stand_in, sizeof stand_in, "%s/crun", root);
	int fd = open(stand_in, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	check(fd >= 0 && write(fd, stand_in_text, sizeof stand_in_text - 1) > 0 && close(fd) == 0);
	place.crun = stand_in;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	check(control_init(&control, root, epoll_fd, TAG, &handlers, NULL, &err) == 0);
	check(control_listen_host(&control, &err) == 0);
	if (err.text[0] != '\0')
		printf("%s\n", err.text);
}

// One turn of a main loop; returns the number of events.
static inline int serve_step(int timeout_ms)
{
	struct epoll_event events[8];
	uint64_t due = control_deadline(&control), now = clock_ms();
	int status, wait = due <= now ? 0 : due - now < (uint64_t)timeout_ms ? (int)(due - now) : timeout_ms;
	int count = epoll_wait(epoll_fd, events, 8, wait);
	pid_t pid;

	for (int i = 0; i < count; i++) {
		if ((events[i].data.u64 & ~(uint64_t)UINT32_MAX) != TAG)
			abort();
		control_event(&control, (uint32_t)events[i].data.u64, events[i].events);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (control_worker_ended(&control, pid, status)) {
			workers_ended++;
		} else {
			others_ended++;
			other_status = status;
		}
	}
	control_act(&control, clock_ms());
	return count;
}

// Turns until a condition holds.
#define serve_until(condition)                                                                                         \
	do {                                                                                                           \
		uint64_t patience = clock_ms() + PATIENCE_MS;                                                              \
		while (!(condition) && clock_ms() < patience)                                                              \
			serve_step(5);                                                                                 \
		check(condition);                                                                                      \
	} while (0)

static inline unsigned serve_connections(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < SLOTS; i++)
		count += control.connections[i].state != CONNECTION_FREE;
	return count;
}

struct client {
	int fd;
	struct lines lines;
	struct input input;
};

static inline struct client *client_of(int fd)
{
	struct client *client = malloc(sizeof *client);

	client->fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	lines_init(&client->lines, fd, &client->input);
	return client;
}

static inline struct client *client_open(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", root, name);
	check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	return client_of(fd);
}

static inline void client_close(struct client *client)
{
	close(client->fd);
	free(client);
}

static inline void client_send(struct client *client, const char *text)
{
	check(write(client->fd, text, strlen(text)) == (ssize_t)strlen(text));
}

// The next line, served meanwhile; "" at the end of the connection. It stays until the next call.
static inline const char *client_line(struct client *client)
{
	static char text[LINE_MOST + 1];
	const char *line;
	size_t length;
	int got = 0;

	strcpy(text, "(nothing)");
	for (uint64_t last = clock_ms() + PATIENCE_MS; clock_ms() < last; serve_step(5)) {
		if ((got = lines_next(&client->lines, &line, &length)) != 0)
			break;
		enum received received = lines_receive(&client->lines);
		if (received == RECEIVED_END || received == RECEIVED_BROKEN)
			return "";
		if (received == RECEIVED_SOME && (got = lines_next(&client->lines, &line, &length)) != 0)
			break;
	}
	if (got == 1) {
		memcpy(text, line, length);
		text[length] = '\0';
	}
	return text;
}

#define expect(client, wanted)                                                                                         \
	do {                                                                                                           \
		const char *found = client_line(client);                                                               \
		checked++;                                                                                             \
		if (strcmp(found, wanted) != 0) {                                                                      \
			failed++;                                                                                      \
			printf("%s:%d: got %.300s\n", __FILE__, __LINE__, found);                                      \
		}                                                                                                      \
	} while (0)

static int serve_remove(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void serve_end(void)
{
	control_end(&control);
	serve_until(serve_connections() == 0);
	close(epoll_fd);
	nftw(root, serve_remove, 16, FTW_DEPTH | FTW_PHYS);
}
