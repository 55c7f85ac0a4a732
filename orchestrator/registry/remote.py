# SPDX-License-Identifier: MIT
"""One repository of a registry as distribution-spec 1.1 offers it: manifests, tags, referrers. Blobs: see transfer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import msgspec

from orchestrator.canonical import DIGEST, sha256_digest
from orchestrator.errors import FetchError
from orchestrator.oci.descriptor import (
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    ImageIndex,
    MediaType,
    canonical_bytes,
)
from orchestrator.oci.strict import decode
from orchestrator.registry.errors import ChangedMeanwhileError, NotFoundError
from orchestrator.registry.session import Session
from orchestrator.registry.web import Answer, checked

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (MANIFEST_TYPE, DOCKER_MANIFEST)
INDEX_TYPES = (INDEX_TYPE, DOCKER_LIST)
_ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
_PAGES = 200
_TAGS = 100_000
_REFERRERS = 2000
_ATTEMPTS = 6
_STORED = frozenset({200, 201, 412})
_OK_OR_MISSING = frozenset({200, 404})
_LINK = re.compile(r'<([^<>]{1,4096})>\s*;[^,]*\brel="?next\b')


@dataclass(frozen=True)
class Document:
    """A manifest or index as it came, its digest checked."""

    descriptor: Descriptor
    data: bytes


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: int
    media_type: MediaType | None = None
    artifact_type: MediaType | None = None
    config: Any = None
    manifests: list[Any] | None = None


class _TagList(msgspec.Struct, frozen=True):
    tags: list[Annotated[str, msgspec.Meta(max_length=128)]] | None = None


class Remote:
    """A repository of a registry."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def host(self) -> str:
        """The server, for messages."""
        return self.session.repository.host

    def head(self, name: str) -> str | None:
        """Return the digest that a tag stands for, asked without its manifest; None when the server does not say.

        Raises NotFoundError when there is no such tag.
        """
        url = self.session.url(f"manifests/{name}")
        answer = self.session.call("HEAD", url, headers={"Accept": _ACCEPT}, expected=_OK_OR_MISSING)
        if answer.status == 404:
            raise self._missing(name)
        digest = answer.headers.get("docker-content-digest", "")
        return digest if DIGEST.match(digest) else None

    def has_manifest(self, digest: str) -> bool:
        """Whether the registry has a manifest of this digest."""
        try:
            self.head(digest)
        except NotFoundError:
            return False
        return True

    def manifest(self, name: str) -> Document:
        """Return the manifest or index that a tag or a digest names; FetchError unless it is one, of that digest."""
        answer = self._document(name)
        if answer is None:
            raise self._missing(name)
        return self._checked(answer, name)

    def _missing(self, name: str) -> NotFoundError:
        kind = "manifest" if DIGEST.match(name) else "tag"
        what = f"there is no {kind} {name} in {self.session.repository}"
        return NotFoundError(what, "the registry answered 404", "check the name, the tag and who may read it")

    def _document(self, name: str) -> Answer | None:
        answer = self.session.call(
            "GET",
            self.session.url(f"manifests/{name}"),
            headers={"Accept": _ACCEPT},
            limit=MANIFEST_LIMIT,
            expected=_OK_OR_MISSING,
        )
        return answer if answer.status == 200 else None

    def _checked(self, answer: Answer, name: str) -> Document:
        digest = sha256_digest(answer.body)
        what = f"the manifest {name} of {self.session.repository}"
        if DIGEST.match(name) and digest != name:
            raise FetchError(f"{what} is not what its digest says", f"its digest is {digest}", "do not trust this copy")
        announced = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        kind = decode(answer.body, _Kind, what, limit=MANIFEST_LIMIT, error=FetchError)
        media_type = kind.media_type or announced
        if kind.schema_version != 2 or media_type not in (*MANIFEST_TYPES, *INDEX_TYPES):
            raise FetchError(
                f"{what} is of a kind that is not understood",
                f"it is {media_type[:80] or 'nothing known'}, version {kind.schema_version}",
                "only OCI images and Docker's schema 2 are; let a current tool push it anew",
            )
        if (media_type in INDEX_TYPES) != (kind.manifests is not None) or (kind.manifests is None) == (
            kind.config is None
        ):
            raise FetchError(f"{what} contradicts itself", "it must be either an image or an index of images")
        found = Descriptor(
            media_type=media_type, digest=digest, size=len(answer.body), artifact_type=kind.artifact_type
        )
        return Document(found, answer.body)

    def tags(self) -> list[str]:
        """Return all tags, sorted."""
        found: set[str] = set()
        for answer in self._pages("tags/list", {"n": "1000"}):
            if answer.status == 404:
                raise self.session.refused(404, answer.body)
            what = f"the list of tags of {self.session.repository}"
            found.update(decode(answer.body, _TagList, what, limit=MANIFEST_LIMIT, error=FetchError).tags or [])
            if len(found) > _TAGS:
                raise FetchError(f"{self.session.repository} has too many tags", f"the limit is {_TAGS}")
        return sorted(found)

    def referrers(self, digest: str, artifact_type: str | None = None) -> list[Descriptor]:
        """Return what is attached to a manifest, by the referrers interface or, without it, by the fallback tag.

        What each of them says it is, is the registry's word: whoever gets one checks it.
        """
        query = {"artifactType": artifact_type} if artifact_type else {}
        found: dict[str, Descriptor] = {}
        supported = True
        for answer in self._pages(f"referrers/{digest}", query):
            if answer.status == 404 or not _is_json(answer):
                supported = False
                break
            index = self._index(answer.body, f"the referrers of {digest} in {self.session.repository}")
            found.update((each.digest, each) for each in index.manifests)
        if not supported:
            found = {each.digest: each for each in self.fallback(digest)[0].manifests}
        if len(found) > _REFERRERS:
            raise FetchError(f"too much is attached to {digest}", f"{len(found)} manifests, the limit is {_REFERRERS}")
        return [each for each in found.values() if artifact_type in (None, each.artifact_type)]

    def fallback(self, digest: str) -> tuple[ImageIndex, str | None]:
        """Return the index behind the fallback tag of a manifest, empty when there is none, and its ETag."""
        answer = self._document(fallback_tag(digest))
        if answer is None:
            return ImageIndex(schema_version=2, media_type=INDEX_TYPE, manifests=[]), None
        return self._index(answer.body, f"what the tag {fallback_tag(digest)} names"), answer.headers.get("etag")

    def _index(self, data: bytes, what: str) -> ImageIndex:
        return decode(data, ImageIndex, what, limit=MANIFEST_LIMIT, error=FetchError)

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[Answer]:
        """Yield the pages of a list, as the header Link leads through them (RFC 8288, relation `next`)."""
        url: httpx.URL | None = self.session.url(path, **query)
        seen: set[httpx.URL] = set()
        while url is not None:
            if url in seen or len(seen) >= _PAGES:
                raise FetchError(f"the registry {self.host} lists without end", f"{len(seen)} pages came")
            seen.add(url)
            answer = self.session.call("GET", url, limit=MANIFEST_LIMIT, expected=_OK_OR_MISSING)
            yield answer
            match = _LINK.search(answer.headers.get("link", ""))
            url = checked(answer.url.join(match[1]), answer.url) if match else None

    def put_manifest(self, name: str, data: bytes, media_type: str, *, if_match: str | None = None) -> bool:
        """Store a manifest under a tag or its digest; returns whether the registry knows of its subject.

        Raises FetchError when the registry refuses, or answers with another digest than that of the bytes.
        """
        headers = {"Content-Type": media_type} | ({"If-Match": if_match} if if_match else {})
        answer = self.session.call(
            "PUT", self.session.url(f"manifests/{name}"), headers=headers, body=data, expected=_STORED
        )
        if answer.status == 412:
            raise ChangedMeanwhileError("the tag was changed meanwhile", f"{name} in {self.session.repository}")
        said = answer.headers.get("docker-content-digest", "")
        if DIGEST.match(said) and said != sha256_digest(data):
            raise FetchError(
                f"the registry {self.host} stored something else", f"{said} instead of {sha256_digest(data)}"
            )
        return "oci-subject" in answer.headers

    def attach_by_tag(self, subject: str, referrers: Sequence[Descriptor]) -> None:
        """Enter referrers into the fallback tag of their subject (distribution-spec, unavailable referrers API).

        Others may do the same at this moment: the change is made with If-Match where the registry gives an ETag, and
        looked up afterwards, for not every registry heeds it.
        """
        patience = self.session.web.patience
        for attempt in range(_ATTEMPTS):
            index, tag = self.fallback(subject)
            here = {each.digest for each in index.manifests}
            added = [each for each in referrers if each.digest not in here]
            if not added:
                return
            if attempt:
                self.session.web.wait(patience.delay(attempt), self.host, "others attach at the same time")
            entries = sorted([*index.manifests, *added], key=lambda each: each.digest)
            changed = msgspec.structs.replace(index, media_type=INDEX_TYPE, manifests=entries)
            with contextlib.suppress(ChangedMeanwhileError):
                self.put_manifest(fallback_tag(subject), canonical_bytes(changed), INDEX_TYPE, if_match=tag)
        raise FetchError(
            f"nothing could be attached to {subject}", "others change the same tag all the time", "push again later"
        )


def fallback_tag(digest: str) -> str:
    """Return the tag that lists the referrers of a manifest where the registry does not (`sha256-<hex>`)."""
    return digest.replace(":", "-")


def _is_json(answer: Answer) -> bool:
    """Whether an answer may be the referrers interface's: some servers answer any path with a page."""
    return "json" in answer.headers.get("content-type", "").lower()
