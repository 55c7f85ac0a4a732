// SPDX-License-Identifier: MIT
// Listening sockets, and which connections there is a place for.
#include "console.h"
#include "control.h"
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_TURN 8
#define ACCEPT_AGAIN_MS 1000

static int open_listener(const char *path, mode_t mode, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return fail(err, "%.40s...: path too long for a socket", path);
	strcpy(address.sun_path, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(err, "%s", path);
	// The mode is right from the first moment on.
	mode_t mask = umask((mode_t)~mode & 0777);
	int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(mask);
	if (bound == 0 && listen(fd, 16) == 0)
		return fd;
	fail_errno(err, "%s", path);
	close(fd);
	return -1;
}

static struct listener *find_listener(struct control *control, enum origin origin, const char *name)
{
	for (size_t i = 0; i < LISTENERS_MOST; i++) {
		struct listener *l = &control->listeners[i];
		if (l->fd >= 0 && l->origin == origin && strcmp(l->name, name) == 0)
			return l;
	}
	return NULL;
}

static int add_listener(struct control *control, const char *path, enum origin origin, const char *name,
			verb_set allowed, struct error *err)
{
	struct listener *free_one = NULL;

	for (size_t i = 0; i < LISTENERS_MOST && free_one == NULL; i++)
		if (control->listeners[i].fd < 0)
			free_one = &control->listeners[i];
	if (free_one == NULL)
		return fail(err, "more than %d control sockets", LISTENERS_MOST);
	int fd = open_listener(path, origin == ORIGIN_HOST ? 0600 : 0666, err);
	if (fd < 0)
		return -1;
	// For edges: when a connection cannot be accepted, it is tried again after a while and not without end.
	uint32_t number = LISTENER_FIRST + (uint32_t)(free_one - control->listeners);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = control->tag | number};
	if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		fail_errno(err, "epoll");
		close(fd);
		return -1;
	}
	*free_one = (struct listener){.fd = fd, .origin = origin, .allowed = allowed, .again_ms = UINT64_MAX};
	snprintf(free_one->name, sizeof free_one->name, "%s", name);
	return 0;
}

int control_listen_host(struct control *control, struct error *err)
{
	char path[sizeof ((struct sockaddr_un *)NULL)->sun_path];

	if (find_listener(control, ORIGIN_HOST, "host") != NULL)
		return 0;
	snprintf(path, sizeof path, "%s/control.sock", control->root);
	return folder_make(control->root, 0755, err) < 0 ? -1
		: add_listener(control, path, ORIGIN_HOST, "host", VERBS_ALL, err);
}

int control_listen_container(struct control *control, const char *name, verb_set allowed, struct error *err)
{
	char path[256];
	struct listener *known = find_listener(control, ORIGIN_CONTAINER, name);

	if (known != NULL) {
		known->allowed = allowed;
		for (size_t i = 0; i < SLOTS; i++) {
			struct connection *c = &control->connections[i];
			if (c->state != CONNECTION_FREE && c->origin == ORIGIN_CONTAINER && strcmp(c->name, name) == 0)
				c->allowed = allowed;
		}
		return 0;
	}
	if (!text_is_name(name))
		return fail(err, "not a name: %.80s", name);
	// Nobody but root passes the upper folder; the lower one is all that a container sees.
	snprintf(path, sizeof path, "%s/control", control->root);
	if (folder_make(path, 0700, err) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/control/%s", control->root, name);
	if (folder_make(path, 0755, err) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/control/%s/control.sock", control->root, name);
	return add_listener(control, path, ORIGIN_CONTAINER, name, allowed, err);
}

void listener_close(struct control *control, struct listener *listener)
{
	epoll_ctl(control->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
	close(listener->fd);
	listener->fd = -1;
	listener->again_ms = UINT64_MAX;
}

void control_close_container(struct control *control, const char *name)
{
	struct listener *listener = find_listener(control, ORIGIN_CONTAINER, name);
	char path[256];

	if (listener == NULL)
		return;
	listener_close(control, listener);
	snprintf(path, sizeof path, "%s/control/%s/control.sock", control->root, name);
	unlink(path);
	for (size_t i = 0; i < SLOTS; i++) {
		struct connection *c = &control->connections[i];
		if (c->state != CONNECTION_FREE && c->origin == ORIGIN_CONTAINER && strcmp(c->name, name) == 0)
			connection_end(control, c);
	}
}

void control_keep_containers(struct control *control, bool (*wanted)(const void *context, const char *name),
			     const void *context)
{
	for (size_t i = 0; i < LISTENERS_MOST; i++) {
		struct listener *l = &control->listeners[i];
		if (l->fd >= 0 && l->origin == ORIGIN_CONTAINER && !wanted(context, l->name))
			control_close_container(control, l->name);
	}
}

static bool is_idle(const struct connection *c)
{
	return c->state == CONNECTION_IDLE && c->lines.queued == 0;
}

struct place_search {
	struct connection *free_one, *idle;	// of the idle ones, whom one has not heard for longest
	unsigned used;
};

static struct place_search search(struct control *control, enum origin origin, const char *name)
{
	struct place_search found = {0};

	for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
		struct connection *c = &control->connections[i];
		if (c->state == CONNECTION_FREE) {
			found.free_one = c;
		} else if (origin == ORIGIN_HOST || (c->origin == origin && (name == NULL || strcmp(c->name, name) == 0))) {
			found.used++;
			if (is_idle(c) && (found.idle == NULL || c->since_ms < found.idle->since_ms))
				found.idle = c;
		}
	}
	return found;
}

// A place within the limits; for one, an idle connection goes. NULL: all are busy.
static struct connection *find_place(struct control *control, enum origin origin, const char *name)
{
	struct place_search own = search(control, origin, name), all = search(control, origin, NULL);
	struct connection *place;

	if (origin == ORIGIN_CONTAINER && own.used >= CONTAINER_MOST)
		place = own.idle;
	else if (origin == ORIGIN_CONTAINER && all.used >= CONTAINERS_MOST)
		place = all.idle;
	else
		place = all.free_one != NULL ? all.free_one : all.idle;
	if (place != NULL)
		connection_close(control, place);
	return place;
}

int control_add_socket(struct control *control, int fd, enum origin origin, const char *name, verb_set allowed,
		       struct error *err)
{
	static const char refusal[] = "{\"error\":\"too many connections are at work\"}\n";
	struct connection *place = find_place(control, origin, name);

	if (place != NULL && connection_open(control, place, fd, origin, name, allowed, err) == 0)
		return 0;
	if (place == NULL) {
		fail(err, "too many connections");
		// Best effort: it is not waited for.
		send(fd, refusal, sizeof refusal - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	close(fd);
	return -1;
}

static bool may_connect(const struct listener *listener, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (listener->origin != ORIGIN_HOST)
		return true;
	// We are root; in a test, whoever runs it.
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

void listener_accept(struct control *control, struct listener *listener)
{
	struct error err;

	listener->again_ms = UINT64_MAX;
	for (int turn = 0; turn < ACCEPT_TURN; turn++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && errno != ECONNABORTED && errno != EINTR) {
			listener->again_ms = clock_ms() + ACCEPT_AGAIN_MS;
			return;
		}
		if (fd < 0)
			continue;
		// A client that is refused is told; the console is not for it to fill.
		if (!may_connect(listener, fd))
			close(fd);
		else
			control_add_socket(control, fd, listener->origin, listener->name, listener->allowed, &err);
	}
	listener->again_ms = 0;
}
