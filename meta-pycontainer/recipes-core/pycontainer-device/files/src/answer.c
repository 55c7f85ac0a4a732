// SPDX-License-Identifier: MIT
// Answers: at once, later, or by a worker.
#include "console.h"
#include "control.h"
#include "utf8.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void connection_finish(struct connection *c, json_t *answer, const struct error *err)
{
	struct error problem = {""};

	if (err == NULL && answer == NULL)
		answer = json_object();
	if (err != NULL || answer == NULL || json_object_set_new(answer, "ok", json_true()) < 0 ||
	    (c->id != NULL && json_object_set(answer, "id", c->id) < 0) || lines_put(&c->lines, answer, &problem) < 0) {
		const char *why = problem.text[0] != '\0' ? problem.text : "no memory for an answer";
		const char *text = err != NULL ? err->text : why;
		json_t *refusal = json_pack("{s:o}", "error", utf8_json(text, strlen(text)));
		if (refusal == NULL || (c->id != NULL && json_object_set(refusal, "id", c->id) < 0) ||
		    lines_put(&c->lines, refusal, &problem) < 0)
			c->closing = true;
		json_decref(refusal);
	}
	json_decref(answer);
	connection_forget(c);
	c->state = CONNECTION_IDLE;
	c->since_ms = clock_ms();
	c->deadline_ms = c->since_ms + CONNECTION_READER_MS;
	// Whoever called us may be amidst its own work: the rest is done in connection_act.
	c->more = true;
}

void control_answer(struct request *request, json_t *answer)
{
	connection_finish(request->connection, answer, NULL);
}

void control_refuse(struct request *request, const struct error *err)
{
	connection_finish(request->connection, NULL, err);
}

uint64_t control_hold(struct request *request)
{
	request->connection->state = CONNECTION_HELD;
	return request->connection->session;
}

void control_work(struct request *request, work_run *run, void *context)
{
	struct connection *c = request->connection;
	struct work work = {.arguments = request->arguments, .verb = request->verb, .who = request->who,
			    .stream = c->origin == ORIGIN_STREAM, .shared = c->shared, .id = c->id};
	struct error err;

	c->shared->half = c->shared->final = c->shared->lost = false;
	c->worker = fork();
	if (c->worker == 0)
		work_main(&work, c->lines.fd, run, context);
	if (c->worker > 0) {
		c->state = CONNECTION_WORKING;
		return;
	}
	c->worker = 0;
	fail_errno(&err, "no process for %s", verbs[request->verb].name);
	control_refuse(request, &err);
}

void connection_worker_ended(struct control *control, struct connection *c, int status)
{
	struct error err;

	c->worker = 0;
	if (c->closing || c->shared->lost) {
		connection_close(control, c);
		return;
	}
	if (c->shared->half && lines_put_newline(&c->lines, &err) < 0)
		c->closing = true;
	if (!c->shared->final || !input_valid(&c->shared->input))
		lines_drop_input(&c->lines);
	if (c->shared->final) {
		connection_forget(c);
		c->state = CONNECTION_IDLE;
		c->since_ms = clock_ms();
		c->more = true;
		return;
	}
	fail(&err, "%s ended early, %s %d", verbs[c->verb].name, WIFSIGNALED(status) ? "by signal" : "with status",
	     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	connection_finish(c, NULL, &err);
}
