// SPDX-License-Identifier: MIT
// The files of an OCI image layout, of foreign bytes: oci-layout, index.json, the manifest of a signature.
#include "../tests/sample.h"
#include "layout.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data;
	struct layout layout;
	char envelope[HEX_SIZE];
	struct error err;

	layout_parse_version(text, size, &err);
	if (layout_parse(&layout, text, size, &err) == 0) {
		for (size_t i = 0; i < layout.revision_count; i++)
			if (!text_is_hex64(layout.revisions[i].digest))
				__builtin_trap();
		for (size_t i = 0; i < layout.signature_count; i++)
			if (!text_is_hex64(layout.signatures[i].digest) ||
			    (layout.signatures[i].subject[0] != '\0' && !text_is_hex64(layout.signatures[i].subject)))
				__builtin_trap();
	}
	layout_free(&layout);
	if (layout_parse_signature(envelope, D("1111"), text, size, &err) == 0 && !text_is_hex64(envelope))
		__builtin_trap();
	return 0;
}
