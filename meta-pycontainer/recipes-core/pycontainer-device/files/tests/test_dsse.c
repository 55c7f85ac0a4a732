// SPDX-License-Identifier: MIT
// The shared vectors: what the build side signs and refuses, the device accepts and refuses.
#include "check.h"
#include "dsse.h"
#include "file.h"
#include "json.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>

static int accepted(const json_t *vector, struct error *err)
{
	struct statement got;
	struct facts facts = {.threshold = (unsigned)json_integer_value(json_object_get(vector, "threshold"))};
	const json_t *envelope = json_object_get(vector, "envelope");
	const json_t *key;
	size_t i;

	json_array_foreach(json_object_get(vector, "keys"), i, key) {
		strcpy(facts.keys[i].id, json_string_value(json_object_get(key, "keyid")));
		const char *public = json_string_value(json_object_get(key, "public"));
		check(sodium_base642bin(facts.keys[i].public, 32, public, strlen(public), NULL, NULL, NULL,
					sodium_base64_VARIANT_ORIGINAL) == 0);
		facts.key_count++;
	}
	int count = dsse_verify(&got, json_string_value(envelope), json_string_length(envelope), &facts, err);
	if (count < 0)
		return -1;
	const char *payload = json_string_value(json_object_get(vector, "payload"));
	json_t *wanted = json_loads(payload, 0, NULL);
	const char *digest = json_string_value(json_object_get(wanted, "digest"));
	int same = strcmp(digest + 7, got.digest) == 0 &&
		   strcmp(json_string_value(json_object_get(wanted, "product")), got.product) == 0 &&
		   (uint64_t)json_integer_value(json_object_get(wanted, "size")) == got.size;
	json_decref(wanted);
	return same ? count : fail(err, "for something else");
}

int main(int argc, char *argv[])
{
	const char *folder = argc > 1 ? argv[1] : VECTORS "/trust";
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	int vectors = 0;

	check(sodium_init() >= 0);
	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		size_t length = strlen(entry->d_name);
		if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
			continue;
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		json_t *vector = json_load_file(path, 0, NULL);
		const json_t *expected = json_object_get(vector, "expected");
		struct error err = {""};
		int count = accepted(vector, &err);
		bool right = json_is_true(json_object_get(expected, "accepted"))
				     ? count == (int)json_array_size(json_object_get(expected, "keyids")) : count < 0;
		if (!right)
			printf("%s: %d signers, \"%s\"\n", entry->d_name, count, err.text);
		check(right);
		json_decref(vector);
		vectors++;
	}
	if (entries != NULL)
		closedir(entries);
	check(vectors >= 30);
	return check_result("dsse");
}
