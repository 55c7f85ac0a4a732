// SPDX-License-Identifier: MIT
// A container's machine id: the same at every start, another for another layer and another device.
#include "check.h"
#include "machine_id.h"
#include "memfs.h"

int main(void)
{
	char first[MACHINE_ID_SIZE], again[MACHINE_ID_SIZE], other[MACHINE_ID_SIZE], device[MACHINE_ID_SIZE];
	struct memfs memfs, second;
	struct error none;
	size_t length;

	memfs_init(&memfs, NULL);
	memfs_init(&second, NULL);
	check(machine_id_make(first, &memfs.fs, "web", &none) == 0 && machine_id_make(again, &memfs.fs, "web", &none) == 0);
	check(machine_id_make(other, &memfs.fs, "db", &none) == 0 && machine_id_make(device, &second.fs, "web", &none) == 0);
	check(strcmp(first, again) == 0 && strcmp(first, other) != 0 && strcmp(first, device) != 0);
	// machine-id(5): 32 lower-case hexadecimal digits and a line end, of a UUID of version 4.
	check(strspn(first, "0123456789abcdef") == 32 && strcmp(first + 32, "\n") == 0);
	check(first[12] == '4' && strchr("89ab", first[16]) != NULL);
	// The secret itself is in none of them.
	const char *secret = memfs_get(&memfs, "state/machine", &length);
	check(secret != NULL && length == 32);
	memfs_put(&memfs, "state/machine", "short", 5);
	check_error(machine_id_make(again, &memfs.fs, "web", err), "damaged");
	memfs_free(&memfs);
	memfs_free(&second);
	return check_result("machine id");
}
