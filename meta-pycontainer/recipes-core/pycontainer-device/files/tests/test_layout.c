// SPDX-License-Identifier: MIT
#include "check.h"
#include "layout.h"
#include "sample.h"

#define ENTRY(type, digest, notes)                                                                                     \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" digest "\",\"size\":9,"              \
	"\"artifactType\":\"application/vnd." type "\"" notes "}"
#define REVISION "pycontainer.revision.v1"
#define SIGNATURE "pycontainer.signature.v1"
#define SUBJECT(digest) ",\"annotations\":{\"vnd.pycontainer.subject\":\"" digest "\"}"

// A revision under two tags, two signatures of it, one that does not say whose, an SPDX document and a foreign image.
static const char index_[] =
	"{\"schemaVersion\":2,\"manifests\":["
	ENTRY(REVISION, DIGEST("1"), ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}") ","
	ENTRY(SIGNATURE, DIGEST("2"), SUBJECT(DIGEST("1"))) "," ENTRY(REVISION, DIGEST("3"), "") ","
	ENTRY(REVISION, DIGEST("1"), "") "," ENTRY(SIGNATURE, DIGEST("4"), ",\"annotations\":{}") ","
	ENTRY("pycontainer.spdx.v1", DIGEST("5"), SUBJECT(DIGEST("1"))) ","
	"{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"sha512:12\",\"size\":1}]}";

static const char signature[] =
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
	"\"artifactType\":\"application/vnd.pycontainer.signature.v1\",\"config\":{},\"layers\":[{\"mediaType\":"
	"\"application/vnd.dsse.envelope.v1+json\",\"digest\":\"" DIGEST("7") "\",\"size\":300}],\"subject\":{\"digest\":\""
	DIGEST("1") "\"}}";

static int refuse_index(const char *part, const char *by, struct error *err)
{
	struct layout layout;
	char *text = changed(index_, part, by);
	int result = layout_parse(&layout, text, strlen(text), err);

	layout_free(&layout);
	free(text);
	return result;
}

static int refuse_signature(const char *part, const char *by, struct error *err)
{
	char envelope[HEX_SIZE], *text = changed(signature, part, by);
	int result = layout_parse_signature(envelope, D("1111"), text, strlen(text), err);

	free(text);
	return result;
}

static void test_index(void)
{
	struct layout layout;
	struct error none;

	check(layout_parse(&layout, index_, strlen(index_), &none) == 0);
	check(layout.revision_count == 2 && layout.signature_count == 2);
	check(strcmp(layout.revisions[0].digest, D("1111")) == 0 && strcmp(layout.revisions[1].digest, D("3333")) == 0);
	check(strcmp(layout.signatures[0].subject, D("1111")) == 0 && layout.signatures[1].subject[0] == '\0');
	layout_free(&layout);
	check_error(refuse_index("\"schemaVersion\":2", "\"schemaVersion\":1", err), "index.json: schemaVersion");
	check_error(refuse_index(":[{", ":[7,{", err), "manifests[0]: not an object");
	check_error(refuse_index(DIGEST("1"), "sha256:12", err), "manifests[0]: digest");
	check_error(refuse_index("image.manifest", "image.index", err), "manifests[0]: mediaType");
	check_error(refuse_index("subject\":\"sha256:", "subject\":\"sha256:x", err), "manifests[1]: vnd.pycontainer.subject");
	check_error(refuse_index("]}", "]}x", err), "not valid JSON");
	check(refuse_index("{\"schemaVersion\"", "{\"manifestz\":1,\"schemaVersion\"", &none) == 0);

	// More revisions than a device takes.
	char *many = malloc(400 * 300), *end = many;
	check(many != NULL);
	end += sprintf(end, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i < LAYOUT_REVISIONS_MOST + 1; i++) {
		char digest[80];
		snprintf(digest, sizeof digest, "sha256:%064x", i);
		char *entry = changed(ENTRY(REVISION, DIGEST("1"), ""), DIGEST("1"), digest);
		end += sprintf(end, "%s%s", i == 0 ? "" : ",", entry);
		free(entry);
	}
	strcpy(end, "]}");
	check_error(layout_parse(&layout, many, strlen(many), err), "more than 256");
	layout_free(&layout);
	free(many);
}

static void test_signature(void)
{
	char envelope[HEX_SIZE];
	struct error none;

	check(layout_parse_signature(envelope, D("1111"), signature, strlen(signature), &none) == 0);
	check(strcmp(envelope, D("7777")) == 0);
	check_error(layout_parse_signature(envelope, D("2222"), signature, strlen(signature), err),
		    "it belongs to revision 1111");
	check_error(refuse_signature("signature.v1", "signature.v2", err), "artifactType");
	check_error(refuse_signature("\"subject\"", "\"about\"", err), "subject: missing");
	check_error(refuse_signature("\"layers\":[", "\"layers\":[7,", err), "layers: more than 1");
	check_error(refuse_signature("\"layers\":[{\"mediaType\":\"application/vnd.dsse.envelope.v1+json\",\"digest\":\""
				     DIGEST("7") "\",\"size\":300}]", "\"layers\":[]", err), "layers: not one object");
	check_error(refuse_signature("dsse.envelope", "dsse.other", err), "layers[0]: mediaType");
	check_error(refuse_signature("\"size\":300", "\"size\":65537", err), "layers[0]: size");
	check_error(refuse_signature("\"schemaVersion\":2", "\"schemaVersion\":\"2\"", err), "schemaVersion");
}

int main(void)
{
	struct error none;

	check(layout_parse_version("{\"imageLayoutVersion\":\"1.0.0\"}", 30, &none) == 0);
	check_error(layout_parse_version("{\"imageLayoutVersion\":\"1.1.0\"}", 30, err), "1.1.0 and not 1.0.0");
	check_error(layout_parse_version("{}", 2, err), "imageLayoutVersion");
	test_index();
	test_signature();
	return check_result("layout");
}
