// SPDX-License-Identifier: MIT
// What the main loop looks after, for the modules that it consists of.
#pragma once
#include "background.h"
#include "cmdline.h"
#include "containers.h"
#include "control.h"
#include "facts.h"
#include "observer.h"
#include "power.h"
#include "update.h"
#include "watchdog.h"
#include <stdbool.h>
#include <stdint.h>

#define AWAITED_MOST 16

// Somebody at the control socket waits until a container is up, or stopped.
struct awaited {
	uint64_t ticket;	// 0: nobody
	uint64_t deadline_ms;
	char name[NAME_SIZE];
	bool up;
};

struct supervisor {
	const struct facts *facts;
	const struct cmdline *cmdline;
	const char *storage;	// the device that it lies on
	struct containers containers;
	struct observer observer;
	struct update update;
	int epoll, signals, events;
	struct buttons buttons;
	uint64_t started_ms;
	bool ready, ending;
	bool quiet_work;	// what waits for the end of the start was begun
	uint64_t ending_ms;	// since when it ends
	uint64_t retry_ms;	// when ports and sockets that did not work are tried again; 0: they do
	const struct revision *adopted;	// whose outputs, sockets and ports are set up
	enum end end;
	struct background verify, drivers;
	struct job first;	// what the first start does once
	struct watchdog watchdog;
	struct control control;
	struct awaited awaited[AWAITED_MOST];
	bool drivers_again;	// devices came while their process was at work
};

// Begin the end: the containers are stopped, then the machine.
void supervisor_end(struct supervisor *s, enum end end, const char *why);
