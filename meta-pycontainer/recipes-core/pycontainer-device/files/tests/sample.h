// SPDX-License-Identifier: MIT
// A small whole revision to take apart: one letter repeated 64 times stands for each digest.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define D(c) c c c c c c c c c c c c c c c c
#define DIGEST(c) "sha256:" D(c c c c)

#define BLOB(digest, layer, role)                                                                                      \
	"{\"mediaType\":\"x\",\"digest\":\"" digest "\",\"size\":10,\"annotations\":{\"vnd.pycontainer.layer\":\"" layer    \
	"\",\"vnd.pycontainer.role\":\"" role "\",\"vnd.pycontainer.fsverity\":\"" DIGEST("f") "\"}}"

static const char sample_manifest[] =
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
	"\"artifactType\":\"application/vnd.pycontainer.revision.v1\",\"config\":{\"mediaType\":"
	"\"application/vnd.pycontainer.revision.config.v1+json\",\"digest\":\"" DIGEST("0") "\",\"size\":100},\"layers\":["
	BLOB(DIGEST("1"), "bsp", "kernel") "," BLOB(DIGEST("2"), "bsp", "modules") ","
	BLOB(DIGEST("3"), "rootfs", "rootfs") "," BLOB(DIGEST("4"), "rootfs", "run-config") ","
	BLOB(DIGEST("3"), "web", "rootfs") "," BLOB(DIGEST("5"), "web", "run-config") "],\"annotations\":{}}";

#define CONTAINER(name, kind, config, group, after, volumes)                                                           \
	"{\"name\":\"" name "\",\"kind\":\"" kind "\",\"version\":\"1\",\"runtime\":\"crun\",\"blobs\":{\"rootfs\":\""    \
	DIGEST("3") "\",\"run-config\":\"" config "\"},\"startGroup\":" group ",\"after\":" after                        \
	",\"restart\":{\"policy\":\"always\",\"maxRetries\":0,\"initialDelayMs\":500,\"maxDelayMs\":30000,"             \
	"\"resetAfterMs\":60000},\"stop\":{\"signal\":15,\"timeoutMs\":10000},\"logs\":{\"maxBytes\":1048576,"           \
	"\"files\":2},\"volumes\":" volumes ",\"health\":null,\"confirm\":{\"healthyForMs\":0}}"

static const char sample_config[] =
	"{\"schemaVersion\":1,\"product\":\"demo\",\"version\":\"1.0.0\",\"machine\":\"qemu-amd64\",\"layers\":["
	"{\"name\":\"bsp\",\"kind\":\"bsp\",\"version\":\"6\",\"blobs\":{\"kernel\":\"" DIGEST("1") "\",\"modules\":\""
	DIGEST("2") "\"}},"
	CONTAINER("rootfs", "rootfs", DIGEST("4"), "0", "[]", "[]") ","
	CONTAINER("web", "app", DIGEST("5"), "1", "[\"rootfs\"]",
		  "[{\"name\":\"data\",\"kind\":\"permanent\",\"destination\":\"/d\",\"mode\":\"0750\",\"uid\":7,\"gid\":8}]")
	"]}";

// A copy of a text with its first occurrence of one part replaced; the part must occur. To free.
static inline char *changed(const char *text, const char *part, const char *by)
{
	const char *found = strstr(text, part);
	char *result = malloc(strlen(text) + strlen(by) + 1);

	if (found == NULL || result == NULL) {
		printf("the sample has no %s\n", part);
		abort();
	}
	sprintf(result, "%.*s%s%s", (int)(found - text), text, by, found + strlen(part));
	return result;
}
