# SPDX-License-Identifier: MIT
"""The form of SPDX 3.0.1 JSON-LD objects, as far as documents of software and licences use it.

Source: SPDX 3.0.1, the Core, Software, SimpleLicensing and Build classes and their JSON-LD context. The official JSON
schema is the oracle of the tests; this table is checked in linear time, and also sees what that schema lets through
(a package without a name, a hash of two characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
SPEC = "3.0.1"
HASH_LENGTHS = {"sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "md5": 32, "sha3_256": 64}

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")

TEXT, TEXTS, REF, REFS, OBJECTS, TIME = (
    "a text",
    "a list of texts",
    "an id",
    "a list of ids",
    "a list of objects",
    "a time",
)


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


_ELEMENT = {
    "spdxId": REF, "creationInfo": REF, "name": TEXT, "comment": TEXT, "description": TEXT, "summary": TEXT,
    "verifiedUsing": OBJECTS, "externalIdentifier": OBJECTS, "externalRef": OBJECTS, "extension": OBJECTS,
}  # fmt: skip
_ARTIFACT = {
    **_ELEMENT, "suppliedBy": REF, "originatedBy": REFS, "builtTime": TIME, "releaseTime": TIME,
    "validUntilTime": TIME, "standardName": TEXTS, "supportLevel": TEXTS, "software_primaryPurpose": TEXT,
    "software_additionalPurpose": TEXTS, "software_copyrightText": TEXT, "software_attributionText": TEXTS,
    "software_contentIdentifier": OBJECTS,
}  # fmt: skip
_COLLECTION = {**_ELEMENT, "rootElement": REFS, "element": REFS, "profileConformance": TEXTS}
_RELATIONSHIP = {
    **_ELEMENT, "from": REF, "to": REFS, "relationshipType": TEXT, "completeness": TEXT, "startTime": TIME,
    "endTime": TIME,
}  # fmt: skip
_PROPERTIES: dict[str, dict[str, str]] = {
    "CreationInfo": {
        "@id": TEXT, "specVersion": TEXT, "created": TIME, "createdBy": REFS, "createdUsing": REFS, "comment": TEXT,
    },
    "SpdxDocument": {**_COLLECTION, "dataLicense": REF, "import": OBJECTS, "namespaceMap": OBJECTS},
    "Bom": {**_COLLECTION, "context": TEXT},
    "software_Sbom": {**_COLLECTION, "context": TEXT, "software_sbomType": TEXTS},
    "software_Package": {
        **_ARTIFACT, "software_packageVersion": TEXT, "software_packageUrl": TEXT, "software_downloadLocation": TEXT,
        "software_homePage": TEXT, "software_sourceInfo": TEXT,
    },
    "software_File": {**_ARTIFACT, "software_fileKind": TEXT, "contentType": TEXT},
    "Relationship": _RELATIONSHIP,
    "LifecycleScopedRelationship": {**_RELATIONSHIP, "scope": TEXT},
    "simplelicensing_LicenseExpression": {
        **_ELEMENT, "simplelicensing_licenseExpression": TEXT, "simplelicensing_licenseListVersion": TEXT,
        "simplelicensing_customIdToUri": OBJECTS,
    },
    "simplelicensing_SimpleLicensingText": {**_ELEMENT, "simplelicensing_licenseText": TEXT},
    "Annotation": {**_ELEMENT, "annotationType": TEXT, "subject": REF, "statement": TEXT, "contentType": TEXT},
    "Agent": _ELEMENT, "Organization": _ELEMENT, "Person": _ELEMENT, "SoftwareAgent": _ELEMENT, "Tool": _ELEMENT,
}  # fmt: skip
_REQUIRED = {
    "CreationInfo": ("@id", "specVersion", "created", "createdBy"),
    "software_Package": ("name",),
    "software_File": ("name",),
    "Relationship": ("from", "to", "relationshipType"),
    "LifecycleScopedRelationship": ("from", "to", "relationshipType"),
    "simplelicensing_LicenseExpression": ("simplelicensing_licenseExpression",),
    "simplelicensing_SimpleLicensingText": ("simplelicensing_licenseText",),
    "Annotation": ("annotationType", "subject"),
}
_WORDS = {
    "software_sbomType": words("analyzed build deployed design runtime source"),
    "completeness": words("complete incomplete noAssertion"),
    "annotationType": words("other review"),
    "software_primaryPurpose": words(
        "application archive bom configuration container data device deviceDriver diskImage documentation evidence"
        " executable file filesystemImage firmware framework install library manifest model module operatingSystem"
        " other patch platform requirement source specification test"
    ),
    "relationshipType": words(
        "affects amendedBy ancestorOf availableFrom configures contains coordinatedBy copiedTo delegatedTo dependsOn"
        " descendantOf describes doesNotAffect expandsTo exploitCreatedBy fixedBy fixedIn foundBy generates"
        " hasAddedFile hasAssessmentFor hasAssociatedVulnerability hasConcludedLicense hasDataFile"
        " hasDeclaredLicense hasDeletedFile hasDependencyManifest hasDistributionArtifact hasDocumentation"
        " hasDynamicLink hasEvidence hasExample hasHost hasInput hasMetadata hasOptionalComponent"
        " hasOptionalDependency hasOutput hasPrerequisite hasProvidedDependency hasRequirement hasSpecification"
        " hasStaticLink hasTest hasTestCase hasVariant invokedBy modifiedBy other packagedBy patchedBy publishedBy"
        " reportedBy republishedBy serializedInArtifact testedOn trainedOn underInvestigationFor usesTool"
    ),
}
_WORDS["software_additionalPurpose"] = _WORDS["software_primaryPurpose"]


def flaws(item: dict[str, Any], kind: str) -> Iterator[str]:
    """Yield what breaks the form of one object of the graph; classes that are not known here have no form."""
    properties = _PROPERTIES.get(kind)
    if properties is None:
        return
    required = _REQUIRED.get(kind, ())
    if kind != "CreationInfo":
        required = ("spdxId", "creationInfo", *required)
    for name in required:
        if not item.get(name):
            yield f"{kind} without {name}"
    for name, value in item.items():
        if name == "type":
            continue
        wanted = properties.get(name)
        if wanted is None:
            if not name.startswith(("extension", "@")):
                yield f"{kind} has no property {name[:80]!r}"
            continue
        if not _fits(value, wanted):
            yield f"{name} is not {wanted}"
        elif words := _WORDS.get(name):
            for word in value if isinstance(value, list) else (value,):
                if word not in words:
                    yield f"{name} cannot be {word[:80]!r}"


def _fits(value: Any, wanted: str) -> bool:
    if wanted == OBJECTS:
        return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    if wanted in (TEXTS, REFS):
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    if not isinstance(value, str):
        return False
    return wanted != TIME or _TIME.match(value) is not None


def is_uri(text: str) -> bool:
    """Tell whether a text is an absolute URI without spaces."""
    return _URI.match(text) is not None
