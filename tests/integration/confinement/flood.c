// SPDX-License-Identifier: MIT
// Asks for a file on the read-only root to write to, from several processes, as often as they can.
#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 2; i++)
		fork();
	for (;;)
		open("/none", O_WRONLY | O_CREAT, 0600);
}
