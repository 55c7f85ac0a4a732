// SPDX-License-Identifier: MIT
// The run configuration of a container that LXC runs.
#include "lxc.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct lxc_config config;
	struct error err;

	if (lxc_config_parse(&config, (const char *)data, size, &err) == 0 &&
	    (config.args_length == 0 || config.args[config.args_length - 1] != '\0'))
		__builtin_trap();
	lxc_config_free(&config);
	return 0;
}
