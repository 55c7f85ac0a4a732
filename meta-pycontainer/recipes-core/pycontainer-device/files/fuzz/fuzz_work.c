// SPDX-License-Identifier: MIT
// What a client sends while its request is at work: bytes, copies, an end, anything else.
#include "request.h"
#include "work.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static unsigned char bytes[WORK_DATA_MOST];
	static struct shared shared;
	struct work work = {.verb = VERB_PUT, .shared = &shared};
	enum work_input input;
	struct error err;
	size_t length;
	int ends[2];

	if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return 0;
	work.stream = (data[0] & 1) != 0;
	work.verb = (data[0] & 2) != 0 ? VERB_EXEC : VERB_PUT;
	lines_init(&work.lines, ends[0], &shared.input);
	ssize_t wrote = write(ends[1], data + 1, size - 1);
	close(ends[1]);
	do {
		input = work_next(&work, bytes, &length, &err);
		if (input == WORK_DATA && length > WORK_DATA_MOST)
			__builtin_trap();
		if (input == WORK_COPY && (work.verb != VERB_PUT || work.copy.size < 1 || work.copy.size > WORK_COPY_MOST ||
					   work.copy.offset > INT64_MAX || strlen(work.copy.digest) != HEX_SIZE - 1))
			__builtin_trap();
		if (input == WORK_NONE)
			work_receive(&work, work_events(&work));
	} while (input != WORK_END && input != WORK_WRONG && wrote >= 0);
	lines_drop_input(&work.lines);
	close(ends[0]);
	return 0;
}
