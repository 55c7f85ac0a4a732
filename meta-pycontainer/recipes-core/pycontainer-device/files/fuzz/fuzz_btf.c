// SPDX-License-Identifier: MIT
// A kernel's description of its types, of foreign bytes.
#include "bpf_code.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bpf_kernel kernel;
	struct btf btf;
	struct error err;
	uint16_t offset;

	if (size > 8192 || btf_open(&btf, data, size, &err) < 0)
		return 0;
	bpf_kernel_find(&kernel, &btf, &err);
	if (btf_member(&btf, "file", "f_path", &offset, &err) == 0 && offset > INT16_MAX)
		__builtin_trap();
	return 0;
}
