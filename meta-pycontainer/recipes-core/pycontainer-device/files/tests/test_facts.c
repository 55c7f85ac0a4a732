// SPDX-License-Identifier: MIT
#include "check.h"
#include "facts.h"
#include "sample.h"

#include <sodium.h>

static char good[1024];

static int parse(const char *text, struct facts *facts, struct error *err)
{
	return facts_parse(facts, text, strlen(text), err);
}

static int refuse(const char *part, const char *by, struct error *err)
{
	struct facts facts;
	char *text = changed(good, part, by);
	int result = parse(text, &facts, err);

	free(text);
	return result;
}

int main(void)
{
	unsigned char public[2][32], hash[32];
	char id[2][65], text[2][64];
	struct facts facts;
	struct error none;

	check(sodium_init() >= 0);
	for (int i = 0; i < 2; i++) {
		memset(public[i], i + 1, 32);
		crypto_hash_sha256(hash, public[i], 32);
		text_to_hex(id[i], hash, 32);
		sodium_bin2base64(text[i], sizeof text[i], public[i], 32, sodium_base64_VARIANT_ORIGINAL);
	}
	snprintf(good, sizeof good,
		 "{\"floor\":3,\"keys\":[{\"keyid\":\"%s\",\"public\":\"%s\"},{\"keyid\":\"%s\",\"public\":\"%s\"}],"
		 "\"machine\":\"qemu-amd64\",\"product\":\"demo\",\"schemaVersion\":1,\"threshold\":2}",
		 id[0], text[0], id[1], text[1]);
	check(parse(good, &facts, &none) == 0);
	check(facts.key_count == 2 && facts.threshold == 2 && memcmp(facts.keys[1].public, public[1], 32) == 0);
	check(strcmp(facts.product, "demo") == 0 && strcmp(facts.machine, "qemu-amd64") == 0);
	check_error(refuse("\"threshold\":2", "\"threshold\":0", err), "threshold");
	check_error(refuse("\"threshold\":2", "\"threshold\":3", err), "there are 2 keys");
	check_error(refuse(id[0], id[1], err), "not the SHA-256");
	check_error(refuse(text[0], "AAAA", err), "public");
	check_error(refuse("=\"", "\"", err), "public");
	check_error(refuse("=\"", "=x\"", err), "public");
	check_error(refuse("\"floor\":3", "\"floor\":-1", err), "floor");
	check_error(refuse("\"floor\":3,", "", err), "floor");
	check_error(refuse("\"product\":\"demo\"", "\"product\":\"a/b\"", err), "product");
	check_error(refuse("[{", "[null,{", err), "keys[0]: not an object");
	check_error(refuse("\"schemaVersion\":1", "\"schemaVersion\":2", err), "schemaVersion");
	char twice[600];
	snprintf(twice, sizeof twice, "{\"keyid\":\"%s\",\"public\":\"%s\"}", id[0], text[0]);
	char other[600];
	snprintf(other, sizeof other, "{\"keyid\":\"%s\",\"public\":\"%s\"}", id[1], text[1]);
	check_error(refuse(other, twice, err), "the same key twice");
	return check_result("facts");
}
