// SPDX-License-Identifier: MIT
// Gives a fuzzer's target every input of its corpus once, without the fuzzer: what was found once stays found, wherever
// there is a compiler. Names of folders are the arguments.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static int replay(const char *path)
{
	FILE *file = fopen(path, "re");
	// Exactly as large as its content: a step beyond it is seen.
	long size = file != NULL && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
	unsigned char *data = size < 0 ? NULL : malloc((size_t)size + (size == 0));
	int result = -1;

	if (data != NULL && fseek(file, 0, SEEK_SET) == 0 && fread(data, 1, (size_t)size, file) == (size_t)size) {
		LLVMFuzzerTestOneInput(data, (size_t)size);
		result = 0;
	}
	free(data);
	if (file != NULL)
		fclose(file);
	return result;
}

int main(int argc, char *argv[])
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *entries = opendir(argv[i]);
		const struct dirent *entry;
		while (entries != NULL && (entry = readdir(entries)) != NULL) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] == '.')
				continue;
			if (replay(path) < 0) {
				fprintf(stderr, "%s: cannot be read\n", path);
				return 1;
			}
			count++;
		}
		if (entries != NULL)
			closedir(entries);
	}
	printf("%-14s %3d inputs of its corpus\n", strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1, count);
	return count == 0;
}
