// SPDX-License-Identifier: MIT
// What is made of the kernel's records: which container they are about, when its own doing begins, and what follows from records
// that were lost. The ring is memory of ours; what the kernel keeps in maps it does not tell here.
#include "check.h"
#include "console.h"
#include "file.h"
#include "observed.h"
#include "observer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP 7
#define STARTED 4242

static unsigned char *ring, *consumed;
static struct observer observer;
static char folder[] = "/tmp/observer-XXXXXX";

static void begin_ring(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	ring = calloc(1, page + 2 * BPF_RING_BYTES);
	consumed = calloc(1, page);
	observer = (struct observer){
		.bpf = {.open = true, .group = -1, .ring = ring, .consumed = consumed, .place = BPF_NO_MAPS},
		.kinds = OBSERVED_EXEC | OBSERVED_CONNECT,
	};
}

// What a program in the kernel would write: an exec in that control group by the process of that number.
static void tell_of(uint64_t cgroup, uint32_t pid, const char *path, uint32_t shared)
{
	struct {
		uint32_t length, page;
		struct observed_head head;
		struct observed_path path;
	} record = {.head = {.cgroup = cgroup, .kind = OBSERVED_EXEC, .pid = pid, .shared = shared, .program = "sh"}};
	unsigned long *end = (unsigned long *)(void *)ring;

	record.length = sizeof record - 8;
	record.path.length = (int64_t)strlen(path) + 1;
	strcpy(record.path.text, path);
	memcpy(ring + sysconf(_SC_PAGESIZE) + *end, &record, sizeof record);
	*end += sizeof record;
}

// In the container, which is known.
static void tell(uint32_t pid, const char *path)
{
	tell_of(CGROUP, pid, path, 0);
}

static struct layer layers[] = {{.name = "web", .container = true, .log_bytes = 65536, .log_files = 1}};
static struct revision revision = {.layers = layers, .layer_count = 1};
static struct containers all;

// A container that runs, as far as is known; `watch`: of its programs.
static struct container *begin(enum watch watch)
{
	struct error err;

	layers[0].observe = (struct observe){.exec = watch};
	all = (struct containers){.end_count = 0};
	check(crew_init(&all.now, &revision, false, &err) == 0);
	struct container *web = &all.now.each[0];
	log_init(&web->observed.log, folder, "web", 65536, 1);
	web->state = STATE_RUNNING;
	web->observed.cgroup = CGROUP;
	web->init = fork();
	if (web->init == 0) {
		pause();
		_exit(0);
	}
	web->keeper = web->init;
	begin_ring();
	return web;
}

static void end(struct container *web, bool killed)
{
	int status;

	if (!killed)
		kill(web->init, SIGTERM);
	check(waitpid(web->init, &status, 0) == web->init && WIFSIGNALED(status) &&
	      WTERMSIG(status) == (killed ? SIGKILL : SIGTERM));
	close(web->output[0]);
	close(web->output[1]);
	log_close(&web->observed.log);
	unlink(web->observed.log.path);
	free(all.now.each);
	free(all.now.flags);
	free(all.now.done);
	free(ring);
	free(consumed);
}

// The record of all that came so far.
static char *record(void)
{
	char path[64];
	struct error err;
	size_t length;

	snprintf(path, sizeof path, "%s/web.log", folder);
	char *text = file_read(AT_FDCWD, path, 65536, &length, &err);
	return text == NULL ? calloc(1, 1) : text;
}

static void test_beginning(void)
{
	struct container *web = begin(WATCH_STOP);

	// The runtime's doing, then its own program, which is declared, then what is not.
	tell(STARTED, "/usr/bin/runtime");
	tell((uint32_t)web->init, "/bin/web");
	observer_drain(&observer, &all);
	check(web->observed.began && web->violation[0] == '\0' && web->state == STATE_RUNNING);
	tell(STARTED, "/bin/sh");
	observer_drain(&observer, &all);
	check(strcmp(web->violation, "left its declared behaviour: exec /bin/sh") == 0 && web->state == STATE_STOPPING);
	char *text = record();
	check(strstr(text, "runtime") == NULL && strstr(text, "\"declared\":true") != NULL && strstr(text, "/bin/sh") != NULL);
	free(text);
	end(web, true);
}

// A record found no room whose container the kernel did not know yet: it may have been the one by which this one begins.
static void test_lost_beginning(enum watch watch)
{
	struct container *web = begin(watch);

	// One more than before: the kernel's counter began anew.
	observer.unknown = UINT32_MAX;
	observer_drain(&observer, &all);
	check(web->observed.began && observer.unknown == 0);
	check((web->violation[0] != '\0') == (watch == WATCH_STOP));
	// What it does from then on is told, and the loss is told once.
	tell(STARTED, "/bin/sh");
	observer_drain(&observer, &all);
	char *text = record(), *lost = strstr(text, "\"event\":\"lost\",\"count\":1}");
	check(lost != NULL && strstr(lost, "/bin/sh") != NULL && strstr(lost + 10, "lost") == NULL);
	free(text);
	end(web, watch == WATCH_STOP);
}

// Of one that has begun, and is known by that, the kernel counts by itself.
static void test_lost_of_another(void)
{
	struct container *web = begin(WATCH_STOP);

	tell((uint32_t)web->init, "/bin/web");
	observer.unknown = UINT32_MAX;
	observer_drain(&observer, &all);
	check(web->violation[0] == '\0' && web->state == STATE_RUNNING && observer.unknown == 0);
	end(web, false);
}

// What is out of the ring makes room for more of the container's own, or of those that were not known.
static void test_room(void)
{
	struct container *web = begin(WATCH_RECORD);
	const uint32_t room = bpf_room(sizeof(struct observed_head) + sizeof(struct observed_path));

	tell((uint32_t)web->init, "/bin/web");
	tell_of(CGROUP, STARTED, "/bin/sh", 1);
	tell_of(CGROUP + 1, STARTED, "/bin/sh", 1);
	tell_of(CGROUP + 1, STARTED, "/bin/sh", 0);
	observer_drain(&observer, &all);
	check(web->observed.taken == room && observer.taken == 2 * room && !web->observed.took && !observer.took);
	// So does what one did until an update had it observed no more.
	layers[0].observe.exec = WATCH_OFF;
	tell(STARTED, "/bin/sh");
	observer_drain(&observer, &all);
	check(web->observed.taken == 2 * room && observer.taken == 2 * room);
	end(web, false);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY), saved = dup(2);

	check(mkdtemp(folder) != NULL);
	// The console's lines.
	dup2(null, 2);
	test_beginning();
	test_lost_beginning(WATCH_STOP);
	test_lost_beginning(WATCH_RECORD);
	test_lost_of_another();
	test_room();
	dup2(saved, 2);
	close(saved);
	close(null);
	rmdir(folder);
	return check_result("observer");
}
