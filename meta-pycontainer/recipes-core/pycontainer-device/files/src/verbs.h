// SPDX-License-Identifier: MIT
// What one can ask of the device: the one table that the server, the client's help and the documentation share.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum verb {
	VERB_VERSION,
	VERB_STATUS,
	VERB_PS,
	VERB_LOGS,
	VERB_OBSERVE,
	VERB_EXEC,
	VERB_START,
	VERB_STOP,
	VERB_RESTART,
	VERB_INSTALL,
	VERB_PUT,
	VERB_TRY,
	VERB_CONFIRM,
	VERB_ROLLBACK,
	VERB_REVISIONS,
	VERB_GC,
	VERB_VOLUMES,
	VERB_IDENTITY,
	VERB_SBOM,
	VERB_REBOOT,
	VERB_POWEROFF,
	VERB_COUNT
};

// Who answers.
enum place {
	PLACE_HERE,	// process 1, at once or when something ended
	PLACE_WORKER,	// a process of its own, that ends when the client goes away
	PLACE_STEADY	// a process of its own, that goes on when the client goes away
};

enum form {
	FORM_NAME,	// of a container
	FORM_TEXT,	// a printable text of at most 4095 bytes
	FORM_TEXTS,	// an array of 1 to 256 texts, any but empty as the first
	FORM_NUMBER,	// 0 to `most`
	FORM_FLAG,	// true or false
	FORM_DIGEST,	// "sha256:<64 digits>"
	FORM_REVISION	// a digest, its digits, or at least the first 4 of them
};

enum use {
	USE_NEEDED,	// must be given; in its place on the command line
	USE_PLACE,	// may be given; in its place on the command line
	USE_OPTION	// may be given; on the command line as --<name>
};

#define ARGUMENTS_MOST 4

struct argument {
	const char *name;
	enum form form;
	enum use use;
	uint64_t most;	// of a number
};

struct verb_entry {
	const char *name;
	enum place place;
	const char *help;
	struct argument arguments[ARGUMENTS_MOST];
};

extern const struct verb_entry verbs[VERB_COUNT];

// The verb of a name, or VERB_COUNT.
enum verb verb_find(const char *name);

// A set of verbs; all of them.
typedef uint64_t verb_set;
#define VERBS_ALL ((verb_set)-1)
verb_set verb_bit(enum verb verb);
