// SPDX-License-Identifier: MIT
// What came from the device, for a person.
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL_SIZE 128

enum look { LOOK_TEXT, LOOK_BYTES, LOOK_MS, LOOK_US, LOOK_SHORT };

struct column {
	const char *title, *key;
	enum look look;
};

// How many bytes of a control character are here, 8-bit ones (U+0080 to U+009F) included: it could steer a terminal.
static size_t control_size(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first == 0 ? 0 : (unsigned char)text[1];

	if (first == 0xc2 && second >= 0x80 && second < 0xa0)
		return 2;
	return first < 0x20 || first == 0x7f ? 1 : 0;
}

// Copy a text, as far as it goes, with a '?' for each control character.
static void clean(char *out, size_t size, const char *text)
{
	size_t used = 0;

	while (*text != '\0' && used + 1 < size) {
		size_t control = control_size(text);
		out[used++] = control > 0 ? '?' : *text;
		text += control > 0 ? control : 1;
	}
	// No character is cut in two.
	if (((unsigned char)*text & 0xc0) == 0x80) {
		while (used > 0 && ((unsigned char)out[used - 1] & 0xc0) == 0x80)
			used--;
		used -= used > 0;
	}
	out[used] = '\0';
}

static void bytes_text(char *out, size_t size, double value)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void time_text(char *out, size_t size, uint64_t ms)
{
	uint64_t s = ms / 1000, minutes = s / 60, hours = minutes / 60, days = hours / 24;

	if (days > 0)
		snprintf(out, size, "%" PRIu64 " d %" PRIu64 " h", days, hours % 24);
	else if (hours > 0)
		snprintf(out, size, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
	else if (minutes > 0)
		snprintf(out, size, "%" PRIu64 " min %" PRIu64 " s", minutes, s % 60);
	else
		snprintf(out, size, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
}

static void value_text(char *out, size_t size, const json_t *value, enum look look)
{
	json_int_t number = json_integer_value(value);

	if (json_is_string(value))
		clean(out, size, json_string_value(value));
	else if (json_is_boolean(value))
		snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
	else if (!json_is_integer(value))
		snprintf(out, size, "-");
	else if (look == LOOK_BYTES)
		bytes_text(out, size, (double)number);
	else if (look == LOOK_MS || look == LOOK_US)
		time_text(out, size, (uint64_t)(look == LOOK_US ? number / 1000 : number));
	else
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, number);
	if (look != LOOK_SHORT)
		return;
	// An id as people name it.
	char *digits = strncmp(out, "sha256:", 7) == 0 ? out + 7 : out;
	memmove(out, digits, strlen(digits) + 1);
	if (strlen(out) == 64)
		out[12] = '\0';
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void show_table(const json_t *rows, const struct column *columns, size_t count)
{
	size_t widths[16] = {0}, i;
	char cell[CELL_SIZE];
	json_t *row;

	for (size_t c = 0; c < count; c++) {
		widths[c] = strlen(columns[c].title);
		json_array_foreach(rows, i, row) {
			value_text(cell, sizeof cell, json_object_get(row, columns[c].key), columns[c].look);
			widths[c] = width_of(cell) > widths[c] ? width_of(cell) : widths[c];
		}
	}
	for (size_t c = 0; c < count; c++)
		printf("%-*s", c + 1 < count ? (int)widths[c] + 2 : 0, columns[c].title);
	putchar('\n');
	json_array_foreach(rows, i, row) {
		for (size_t c = 0; c < count; c++) {
			value_text(cell, sizeof cell, json_object_get(row, columns[c].key), columns[c].look);
			printf("%s%*s", cell, c + 1 < count ? (int)(widths[c] + 2 - width_of(cell)) : 0, "");
		}
		putchar('\n');
	}
}

static void show_pair(const char *name, const json_t *value, enum look look)
{
	char text[1024];

	value_text(text, sizeof text, value, look);
	printf("%-12s %s\n", name, text);
}

static void show_part(const char *name, const json_t *object, const struct column *columns, size_t count)
{
	char text[CELL_SIZE];

	printf("%-12s", name);
	if (!json_is_object(object))
		printf(" -");
	for (size_t c = 0; c < count && json_is_object(object); c++) {
		value_text(text, sizeof text, json_object_get(object, columns[c].key), columns[c].look);
		printf(" %s%s", columns[c].title, text);
	}
	putchar('\n');
}

#define PART(...)                                                                                                      \
	(const struct column[]){__VA_ARGS__}, sizeof((const struct column[]){__VA_ARGS__}) / sizeof(struct column)

static void show_status(const json_t *final)
{
	const json_t *waiting = json_object_get(json_object_get(final, "trial"), "waiting");
	json_t *reason;
	size_t i;

	show_pair("product", json_object_get(final, "product"), LOOK_TEXT);
	show_pair("version", json_object_get(final, "version"), LOOK_TEXT);
	show_pair("revision", json_object_get(final, "revision"), LOOK_TEXT);
	show_pair("state", json_object_get(final, "state"), LOOK_TEXT);
	show_part("trial", json_object_get(final, "trial"),
		  PART({"", "revision", LOOK_SHORT}, {"from ", "from", LOOK_SHORT}, {"", "how", LOOK_TEXT},
		       {"since ", "elapsedMs", LOOK_MS}, {"of ", "timeoutMs", LOOK_MS}));
	json_array_foreach(waiting, i, reason)
		show_pair("waits for", reason, LOOK_TEXT);
	show_part("outcome", json_object_get(final, "outcome"),
		  PART({"", "revision", LOOK_SHORT}, {"", "result", LOOK_TEXT}, {"", "reason", LOOK_TEXT}));
	show_pair("floor", json_object_get(final, "floor"), LOOK_TEXT);
	show_part("record", json_object_get(final, "record"),
		  PART({"generation ", "generation", LOOK_TEXT}, {"boots ", "rev", LOOK_SHORT}, {"tries ", "try", LOOK_SHORT},
		       {"left ", "left", LOOK_TEXT}));
	show_part("storage", json_object_get(final, "storage"),
		  PART({"free ", "free", LOOK_BYTES}, {"of ", "size", LOOK_BYTES}));
	show_pair("up", json_object_get(final, "uptimeMs"), LOOK_MS);
	show_pair("watchdog", json_object_get(final, "watchdog"), LOOK_TEXT);
}

static void show_installed(const json_t *final)
{
	char id[CELL_SIZE], size[32];
	const json_t *missing = json_object_get(final, "missing");

	if (missing != NULL) {
		if (json_array_size(missing) == 0)
			puts("installed");
		else
			show_table(missing, PART({"DIGEST", "digest", LOOK_TEXT}, {"SIZE", "size", LOOK_TEXT},
						 {"OFFSET", "offset", LOOK_TEXT}));
		return;
	}
	value_text(id, sizeof id, json_object_get(final, "revision"), LOOK_TEXT);
	bytes_text(size, sizeof size, (double)json_integer_value(json_object_get(final, "copied")));
	json_int_t blobs = json_integer_value(json_object_get(final, "blobs"));
	printf("installed %s (%" JSON_INTEGER_FORMAT " blobs, %s)\n", id, blobs, size);
}

static void show_others(const json_t *final)
{
	const char *key, *part;
	json_t *value, *inner;

	json_object_foreach((json_t *)final, key, value) {
		if (strcmp(key, "ok") == 0 || strcmp(key, "id") == 0)
			continue;
		if (!json_is_object(value)) {
			show_pair(key, value, strcmp(key, "freed") == 0 ? LOOK_BYTES : LOOK_TEXT);
			continue;
		}
		json_object_foreach(value, part, inner)
			show_pair(part, inner, LOOK_TEXT);
	}
}

void ctl_show_final(const struct ctl *ctl, const json_t *final)
{
	switch (ctl->verb) {
	case VERB_STATUS:
		show_status(final);
		break;
	case VERB_PS:
		show_table(json_object_get(final, "containers"),
			   PART({"NAME", "name", LOOK_TEXT}, {"KIND", "kind", LOOK_TEXT}, {"STATE", "state", LOOK_TEXT},
				{"HEALTH", "health", LOOK_TEXT}, {"PID", "pid", LOOK_TEXT}, {"RESTARTS", "restarts", LOOK_TEXT},
				{"RUNNING", "runningMs", LOOK_MS}, {"MEMORY", "memory", LOOK_BYTES}, {"CPU", "cpuUs", LOOK_US},
				{"PROCESSES", "processes", LOOK_TEXT}, {"VERSION", "version", LOOK_TEXT}));
		break;
	case VERB_REVISIONS:
		show_table(json_object_get(final, "revisions"),
			   PART({"REVISION", "revision", LOOK_SHORT}, {"VERSION", "version", LOOK_TEXT},
				{"RUNNING", "running", LOOK_TEXT}, {"CONFIRMED", "confirmed", LOOK_TEXT},
				{"PREVIOUS", "previous", LOOK_TEXT}, {"COMPLETE", "complete", LOOK_TEXT},
				{"SIZE", "size", LOOK_BYTES}));
		break;
	case VERB_VOLUMES:
		show_table(json_object_get(final, "volumes"),
			   PART({"LAYER", "layer", LOOK_TEXT}, {"NAME", "name", LOOK_TEXT}, {"KIND", "kind", LOOK_TEXT},
				{"USED", "used", LOOK_BYTES}, {"PATH", "path", LOOK_TEXT}));
		break;
	case VERB_INSTALL:
		show_installed(final);
		break;
	case VERB_EXEC:
	case VERB_LOGS:
	case VERB_OBSERVE:
		break;
	default:
		show_others(final);
		break;
	}
}

// "2026-01-31T12:34:56.789Z  web  connect  192.0.2.1:443/tcp  by curl (process 123, user 33), not declared".
static void show_event(const json_t *object)
{
	static const struct column head[] = {{"", "time", LOOK_TEXT}, {"", "layer", LOOK_TEXT}, {"", "event", LOOK_TEXT}};
	char text[1280], port[16], protocol[32];

	for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
		value_text(text, sizeof text, json_object_get(object, head[i].key), LOOK_TEXT);
		printf("%s  ", text);
	}
	if (json_object_get(object, "count") != NULL) {
		value_text(text, sizeof text, json_object_get(object, "count"), LOOK_TEXT);
		printf("%s that are not told of\n", text);
		return;
	}
	bool connect = json_object_get(object, "address") != NULL;
	value_text(text, sizeof text, json_object_get(object, connect ? "address" : "path"), LOOK_TEXT);
	value_text(port, sizeof port, json_object_get(object, "port"), LOOK_TEXT);
	value_text(protocol, sizeof protocol, json_object_get(object, "protocol"), LOOK_TEXT);
	if (connect)
		printf(strchr(text, ':') != NULL ? "[%s]:%s/%s" : "%s:%s/%s", text, port, protocol);
	else
		printf("%s", text);
	value_text(text, sizeof text, json_object_get(object, "program"), LOOK_TEXT);
	value_text(port, sizeof port, json_object_get(object, "pid"), LOOK_TEXT);
	value_text(protocol, sizeof protocol, json_object_get(object, "uid"), LOOK_TEXT);
	printf("  by %s (process %s, user %s)%s%s\n", text, port, protocol,
	       json_is_true(json_object_get(object, "declared")) ? "" : ", not declared",
	       json_is_true(json_object_get(object, "refused")) ? ", refused" : "");
}

void ctl_show_line(const struct ctl *ctl, const json_t *object)
{
	if (ctl->verb == VERB_OBSERVE) {
		show_event(object);
		return;
	}
	const json_t *line = json_object_get(object, "line");
	const char *text = json_string_value(line);
	size_t length = json_string_length(line);

	if (text == NULL)
		return;
	// For a file every byte counts; a terminal shall show and not do.
	for (size_t i = 0; i < length;) {
		size_t control = ctl->terminal && text[i] != '\t' ? control_size(text + i) : 0;
		putchar(control > 0 ? '?' : text[i]);
		i += control > 0 ? control : 1;
	}
	if (!json_is_true(json_object_get(object, "more")))
		putchar('\n');
}

void ctl_show_progress(const struct ctl *ctl, const json_t *progress)
{
	char step[CELL_SIZE], done[32], total[32];
	json_int_t all = json_integer_value(json_object_get(progress, "total"));

	if (!ctl->progress)
		return;
	value_text(step, sizeof step, json_object_get(progress, "step"), LOOK_TEXT);
	value_text(done, sizeof done, json_object_get(progress, "done"), LOOK_BYTES);
	value_text(total, sizeof total, json_object_get(progress, "total"), LOOK_BYTES);
	bool whole = all == json_integer_value(json_object_get(progress, "done"));
	fprintf(stderr, "\r%s %s of %s\033[K%s", step, done, total, whole ? "\n" : "");
}
