// SPDX-License-Identifier: MIT
// The control sockets and byte streams: who may ask what, and how answers find their way. Everything here belongs to
// process 1, so nothing waits, memory is bounded, and work that takes time has a process of its own (work.h).
#pragma once
#include "connection.h"

#define STREAMS_MOST 4
#define CONNECTIONS_MOST 16			// of sockets
#define CONTAINERS_MOST 12			// of these by containers, so that the host always has some left
#define CONTAINER_MOST 4			// by one container
#define SLOTS (CONNECTIONS_MOST + STREAMS_MOST)
#define LISTENERS_MOST 65			// the host's and one for each layer

// Numbers of events: a connection's index, or, from here on, a listener's; a connection's generation above them.
#define LISTENER_FIRST 128u
#define INDEX_MASK 0xffu
#define GENERATION_SHIFT 8

struct listener {
	int fd;					// -1: free
	char name[NAME_SIZE];			// of the container; "host"
	enum origin origin;
	verb_set allowed;
	uint64_t again_ms;			// when to accept again without having been told, UINT64_MAX: not
};

struct control {
	int epoll;
	uint64_t tag;
	const struct handlers *handlers;
	void *context;
	const char *root;
	struct listener listeners[LISTENERS_MOST];
	struct connection connections[SLOTS];
	uint64_t session;			// the last number given
	uint64_t reopen_ms;			// when a stream that was closed may be opened anew, UINT64_MAX: none was
};

// Events come with data.u64 = tag | number, whose lower 32 bits are for us: give them to control_event. `root` is
// /run/pycontainer. SIGPIPE must be blocked or ignored. Fails when a verb of the table has no handler.
int control_init(struct control *control, const char *root, int epoll_fd, uint64_t tag, const struct handlers *handlers,
		 void *context, struct error *err);
void control_event(struct control *control, uint32_t number, uint32_t events);
// When control_act is due, UINT64_MAX: not at all; it serves what was put off, and drops who does not read.
uint64_t control_deadline(const struct control *control);
void control_act(struct control *control, uint64_t now);
// End the workers; take no more requests. control_worker_ended still tells whose processes ended.
void control_end(struct control *control);

// <root>/control.sock, for root only.
int control_listen_host(struct control *control, struct error *err);
// <root>/control/<name>/control.sock, in a folder that is bound into this container only. Once more with the same name:
// the rights are these from now on.
int control_listen_container(struct control *control, const char *name, verb_set allowed, struct error *err);
// Its connections and workers end too. The folder stays: a container that still runs has it bound.
void control_close_container(struct control *control, const char *name);
// Close those of all containers but the wanted ones.
void control_keep_containers(struct control *control, bool (*wanted)(const void *context, const char *name),
			     const void *context);
// An open tty or virtio port, as one connection without end; the descriptor is ours from now on, closed on failure too.
// A terminal is made raw. A port that was unplugged, or a terminal that hung up, is closed and forgotten, to be opened
// anew: by a terminal that is still there when control_reopen says so, by others when the kernel tells of a new one.
int control_add_stream(struct control *control, int fd, const char *name, struct error *err);
bool control_has_stream(const struct control *control, const char *name);
// True once, a moment after a stream was closed: what hangs up without end is not tried without end.
bool control_reopen(struct control *control, uint64_t now);
// A connected socket, which is ours from now on, closed on failure too.
int control_add_socket(struct control *control, int fd, enum origin origin, const char *name, verb_set allowed,
		       struct error *err);

// Answer a request that was held. False when its client went away meanwhile, or the session never was.
bool control_answer_held(struct control *control, uint64_t session, json_t *answer);
bool control_refuse_held(struct control *control, uint64_t session, const struct error *err);
// A process ended; true when it was a worker of ours.
bool control_worker_ended(struct control *control, pid_t process, int status);

// Between control.c and listener.c:
void listener_accept(struct control *control, struct listener *listener);
void listener_close(struct control *control, struct listener *listener);
