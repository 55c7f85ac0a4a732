// SPDX-License-Identifier: MIT
// One container's life: started, restarted with back-off, stopped.
#pragma once
#include "backoff.h"
#include "health.h"
#include "log.h"
#include "revision.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum state {
	STATE_WAITING,	// for its turn
	STATE_STARTING,	// crun run is at work
	STATE_RUNNING,
	STATE_STOPPING,	// the stop signal was sent, or the kill
	STATE_CLEANING,	// ended; crun delete is at work
	STATE_PAUSED,	// ended; started again at the deadline
	STATE_DONE,	// ended well, not started again
	STATE_FAILED,	// not started again
	STATE_STOPPED	// ended at our wish
};

// What follows a stop.
enum then {
	THEN_END,	// nothing: the machine stops, the runtime need not forget the container
	THEN_STAY,	// it stays stopped
	THEN_START,	// it starts again
	THEN_FAIL	// the stop counts as its own failure, with what follows from that
};

// What is known of what it does, when its product asks for that.
struct watched {
	uint64_t cgroup;	// the number of its control group; 0: not known yet
	uint32_t lost;		// of which the kernel told nothing, so far
	uint32_t taken;		// bytes of its records that were taken out of the ring, as in struct bpf_wanted
	bool took;		// which the kernel is not told of yet
	bool began;		// its program was started, so that what happens is no more the runtime's doing
	bool blind;		// the kernel does not tell what a rule must know
	struct log log;
	uint64_t second;	// of the last line, and how many there were in it, and how many were left out
	unsigned lines;
	uint64_t dropped;
	struct peer last;	// where a connection went last, whose and when
	uint32_t last_pid;
	uint64_t last_ns;
};

struct container {
	const struct layer *layer;
	enum state state;
	enum state next;	// after STATE_CLEANING
	pid_t helper;		// crun, or 0
	pid_t init;		// the container's first process, or 0
	pid_t keeper;		// its end is the container's: init itself, or LXC's monitor
	uint64_t since;		// when it began to run
	uint64_t deadline;	// of the state; UINT64_MAX: none
	uint64_t resume;	// when it is started again
	bool killed;
	bool bound;		// its volumes and its network are there
	bool watched;		// the main loop listens to its output
	bool stop_wanted;	// as soon as it runs
	enum then then;
	uint64_t restarts;	// by itself, since the trial or the start began
	char how[96];		// it ended last
	char violation[96];	// by which it left its declared behaviour; empty: it did not
	struct watched observed;
	struct health health;
	uint64_t health_due;	// when to look after it; UINT64_MAX: not by itself
	pid_t probe;		// of the health check, or 0
	bool was_healthy;	// since it began to run
	struct backoff backoff;
	struct log log;
	int output[2];		// pipe of its standard output and error: read, write
};

int container_init(struct container *container, const struct layer *layer, struct error *err);
// `revision`: whose volumes it gets.
void container_start(struct container *container, const struct revision *revision);
void container_stop(struct container *container, enum then then);
// It did what its product does not declare: it is killed, and has failed by that.
void container_violated(struct container *container, const char *what);
// Give back its pipe and log; it must be stopped.
void container_close(struct container *container);
// A process of ours ended; true when it belonged to this container.
bool container_helper_ended(struct container *container, pid_t pid, int status);
bool container_init_ended(struct container *container, pid_t pid, int status);
// Does it run, as well as it is known, or has it ended well?
bool container_is_up(const struct container *container);
// The deadline passed.
void container_deadline(struct container *container, const struct revision *revision);
// Read what the container wrote: all that is there, but not without end.
void container_output(struct container *container);
