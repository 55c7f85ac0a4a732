// SPDX-License-Identifier: MIT
#include "check.h"
#include "cmdline.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UUID "6d1f1a0c-9f2e-4c57-8c5b-1f6a0d3c2b11"
#define ESP "01234567-89ab-4cde-8f01-23456789abcd"
#define GOOD "console=ttyS0 pycontainer.revision=" HEX " pycontainer.storage=" UUID

int main(void)
{
	struct cmdline c;
	struct error none;

	check(cmdline_parse(&c, GOOD "\n", &none) == 0);
	check(strcmp(c.revision, HEX) == 0 && strcmp(c.storage, UUID) == 0 && !c.panic_poweroff);
	check(cmdline_parse(&c, GOOD " pycontainer.panic=poweroff pycontainer.x=y", &none) == 0 && c.panic_poweroff);
	check(c.esp[0] == '\0');
	check(cmdline_parse(&c, GOOD " pycontainer.esp=" ESP, &none) == 0 && strcmp(c.esp, ESP) == 0);
	check(cmdline_parse(&c, GOOD " pycontainer.esp= quiet", &none) == 0 && c.esp[0] == '\0');
	check(cmdline_parse(&c, GOOD " pycontainer.esp", &none) == 0 && c.esp[0] == '\0');
	check_error(cmdline_parse(&c, GOOD " pycontainer.esp=x", err), "36 characters");
	check_error(cmdline_parse(&c, GOOD " pycontainer.esp=" ESP " pycontainer.esp=" ESP, err), "twice");
	check_error(cmdline_parse(&c, GOOD " pycontainer.esp=0123456789ABCDEF0123456789ABCDEF0123", err), "esp on the kernel");
	check(cmdline_parse(&c, GOOD " pycontainer.panic=poweroffx", &none) == 0 && !c.panic_poweroff);
	check_error(cmdline_parse(&c, "", err), "names no revision");
	check_error(cmdline_parse(&c, "pycontainer.revision=" HEX, err), "names no storage");
	check_error(cmdline_parse(&c, "pycontainer.revision=" HEX "0", err), "64 characters");
	check_error(cmdline_parse(&c, "pycontainer.revision=", err), "names no revision");
	check_error(cmdline_parse(&c, GOOD " pycontainer.revision=" HEX, err), "twice");
	check_error(cmdline_parse(&c, GOOD " pycontainer.storage=" UUID, err), "twice");
	check_error(cmdline_parse(&c, "pycontainer.revision=" HEX " pycontainer.storage=6d1f1a0c-9f2e-4c57-8c5b-1f6a0d3c2bzz", err),
		    "names no storage");
	return check_result("cmdline");
}
