// SPDX-License-Identifier: MIT
#include "verbs.h"

#include <string.h>

_Static_assert(VERB_COUNT <= 64, "a set of verbs has a bit for each");

#define CONTAINER {"container", FORM_NAME, USE_NEEDED, 0}

// tests/unit/device/test_control_page.py reads this table and compares it with docs/control.md.
const struct verb_entry verbs[VERB_COUNT] = {
	[VERB_VERSION] = {"version", PLACE_HERE, "the device program, the protocol, the kernel, the product", {{0}}},
	[VERB_STATUS] = {"status", PLACE_WORKER, "the revision that runs, a trial, storage", {{0}}},
	[VERB_PS] = {"ps", PLACE_WORKER, "the containers and what they use", {{0}}},
	[VERB_LOGS] = {"logs", PLACE_WORKER, "what a container wrote",
		       {CONTAINER, {"lines", FORM_NUMBER, USE_OPTION, 1000000}, {"follow", FORM_FLAG, USE_OPTION, 0}}},
	[VERB_OBSERVE] = {"observe", PLACE_WORKER, "what containers did, as their product has it recorded",
			  {{"container", FORM_NAME, USE_PLACE, 0}, {"lines", FORM_NUMBER, USE_OPTION, 1000000},
			   {"follow", FORM_FLAG, USE_OPTION, 0}}},
	[VERB_EXEC] = {"exec", PLACE_WORKER, "run a program in a container",
		       {CONTAINER, {"command", FORM_TEXTS, USE_NEEDED, 0}}},
	[VERB_START] = {"start", PLACE_HERE, "start a container that was stopped or ended", {CONTAINER}},
	[VERB_STOP] = {"stop", PLACE_HERE, "stop a container until it is started", {CONTAINER}},
	[VERB_RESTART] = {"restart", PLACE_HERE, "stop a container and start it", {CONTAINER}},
	[VERB_INSTALL] = {"install", PLACE_STEADY, "take in a revision from a bundle, a disk, or blob by blob",
			  {{"path", FORM_TEXT, USE_PLACE, 0}, {"label", FORM_TEXT, USE_OPTION, 0},
			   {"revision", FORM_REVISION, USE_OPTION, 0}, {"signature", FORM_DIGEST, USE_OPTION, 0}}},
	[VERB_PUT] = {"put", PLACE_WORKER, "send one blob",
		      {{"digest", FORM_DIGEST, USE_NEEDED, 0}, {"size", FORM_NUMBER, USE_NEEDED, INT64_MAX}}},
	[VERB_TRY] = {"try", PLACE_HERE, "change to an installed revision on trial",
		      {{"revision", FORM_REVISION, USE_NEEDED, 0}}},
	[VERB_CONFIRM] = {"confirm", PLACE_HERE, "end the trial well, now", {{0}}},
	[VERB_ROLLBACK] = {"rollback", PLACE_HERE, "end the trial, or go back to the revision before", {{0}}},
	[VERB_REVISIONS] = {"revisions", PLACE_WORKER, "the installed revisions", {{0}}},
	[VERB_GC] = {"gc", PLACE_STEADY, "remove revisions and blobs that nothing needs", {{0}}},
	[VERB_VOLUMES] = {"volumes", PLACE_WORKER, "the volumes and what is in use of each", {{0}}},
	[VERB_IDENTITY] = {"identity", PLACE_WORKER, "the device's public key", {{0}}},
	[VERB_SBOM] = {"sbom", PLACE_WORKER, "what a layer is made of, as SPDX", {{"layer", FORM_NAME, USE_NEEDED, 0}}},
	[VERB_REBOOT] = {"reboot", PLACE_HERE, "stop everything and start again", {{0}}},
	[VERB_POWEROFF] = {"poweroff", PLACE_HERE, "stop everything and switch off", {{0}}},
};

enum verb verb_find(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return (enum verb)i;
	return VERB_COUNT;
}

verb_set verb_bit(enum verb verb)
{
	return (verb_set)1 << verb;
}
