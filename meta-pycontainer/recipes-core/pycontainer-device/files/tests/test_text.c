// SPDX-License-Identifier: MIT
#include "check.h"
#include "text.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

int main(void)
{
	char out[HEX_SIZE];
	char small[4];

	check(text_is_name("web"));
	check(text_is_name("0"));
	check(text_is_name("a.b_c-d"));
	check(!text_is_name(""));
	check(!text_is_name(".."));
	check(!text_is_name("-a"));
	check(!text_is_name("a/b"));
	check(!text_is_name("A"));
	check(!text_is_name("a b"));
	check(text_is_name("a12345678901234567890123456789012345678901234567890123456789012"));
	check(!text_is_name("a123456789012345678901234567890123456789012345678901234567890123"));
	check(text_is_hex64(HEX));
	check(!text_is_hex64(HEX "0"));
	check(!text_is_hex64("00"));
	struct error none;
	check(text_digest(out, "sha256:" HEX, &none) == 0 && strcmp(out, HEX) == 0);
	check_error(text_digest(out, "sha512:" HEX, err), "not a digest");
	check_error(text_digest(out, "sha256:" HEX "a", err), "not a digest");
	check_error(text_digest(out, "sha256:../../../etc/passwd", err), "not a digest");
	text_to_hex(out, (const unsigned char *)"\x00\xff\x1a", 3);
	check(strcmp(out, "00ff1a") == 0);
	check(text_copy(small, sizeof small, "abc", &none) == 0);
	check_error(text_copy(small, sizeof small, "abcd", err), "4 bytes");
	check_error(text_copy(small, sizeof small, "", err), "0 bytes");
	check_error(text_copy(small, sizeof small, "a\033", err), "control");

	struct error chain;
	check(fail(&chain, "why %d", 7) == -1);
	check(fail_in(&chain, "where") == -1 && strcmp(chain.text, "where: why 7") == 0);
	char big[1000];
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	fail(&chain, "%s", big);
	fail_in(&chain, "%s", big);
	check(strlen(chain.text) == sizeof chain.text - 1);
	return check_result("text");
}
