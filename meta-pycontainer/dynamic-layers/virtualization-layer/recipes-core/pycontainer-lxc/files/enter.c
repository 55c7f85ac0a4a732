// SPDX-License-Identifier: MIT
#include "common.h"
#include "verbs.h"

#include <errno.h>
#include <lxc/attach_options.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MOST 1024

static pid_t passed_to;

static char **environment_of(struct lxc_container *c)
{
	char *text = text_of(c, "lxc.environment");
	static char *words[WORDS_MOST + 1];
	size_t count = 0;
	char *rest = NULL;

	for (char *word = text == NULL ? NULL : strtok_r(text, "\n", &rest); word != NULL && count < WORDS_MOST;
	     word = strtok_r(NULL, "\n", &rest))
		words[count++] = word;
	return words;
}

static void groups_of(struct lxc_container *c, lxc_attach_options_t *options)
{
	static gid_t groups[GROUPS_MOST];
	char *text = text_of(c, "lxc.init.groups");
	char *rest = NULL;

	options->attach_flags |= LXC_ATTACH_SETGROUPS;
	options->groups.list = groups;
	for (char *word = text == NULL ? NULL : strtok_r(text, ",", &rest);
	     word != NULL && options->groups.size < GROUPS_MOST; word = strtok_r(NULL, ",", &rest))
		groups[options->groups.size++] = (gid_t)strtoul(word, NULL, 10);
	if (options->groups.size == 0)
		options->attach_flags &= ~LXC_ATTACH_SETGROUPS;
}

static void pass_on(int number)
{
	if (passed_to > 0)
		kill(passed_to, number);
}

// liblxc goes on without a profile that it cannot read, with a warning: we do not.
static bool is_filtered(struct lxc_container *c)
{
	char *wanted = text_of(c, "lxc.seccomp.profile");

	if (wanted == NULL)
		return true;
	char *running = c->get_running_config_item(c, "lxc.seccomp.profile");
	return running != NULL && strcmp(running, wanted) == 0 && access(wanted, R_OK) == 0;
}

int enter(const char *pid_file, const char *name, char **words)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	lxc_attach_command_t command = {words[0], words};
	struct sigaction action = {.sa_handler = pass_on};
	struct lxc_container *c = open_container(name);
	int status;

	if (c == NULL)
		return 125;
	if (!c->is_running(c) || !is_filtered(c)) {
		complain(name, "does not run");
		return 125;
	}
	options.attach_flags |= LXC_ATTACH_NO_NEW_PRIVS;
	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.extra_env_vars = environment_of(c);
	options.initial_cwd = text_of(c, "lxc.init.cwd");
	options.uid = (uid_t)number_of(c, "lxc.init.uid", 0);
	options.gid = (gid_t)number_of(c, "lxc.init.gid", 0);
	groups_of(c, &options);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (c->attach(c, lxc_attach_run_command, &command, &options, &passed_to) < 0) {
		complain(name, "cannot be entered");
		return 125;
	}
	if (pid_file != NULL)
		write_pids(pid_file, passed_to, passed_to);
	while (waitpid(passed_to, &status, 0) < 0)
		if (errno != EINTR)
			return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
