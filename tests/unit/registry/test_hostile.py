# SPDX-License-Identifier: MIT
"""A registry may answer anything: what comes through is right to the last byte, all else is an error, and it ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.canonical import hash_file
from orchestrator.errors import FetchError, PyContainerError
from orchestrator.oci import Store, fsck
from orchestrator.registry import Patience, Place, Reference, Remote, Repository, Session, Web, pull, push
from tests.unit.registry.conftest import make_revision
from tests.unit.registry.fake import Handler, Registry, serving

IMPATIENT = Patience(
    tries=3,
    first_delay=0.001,
    longest_delay=0.002,
    longest_asked=0.05,
    connect=1,
    silence=0.5,
    answer=1,
    slow_seconds=1,
)
SIZE = 200_000

Fault = Callable[[Handler], bool]


def content(handler: Handler) -> bytes:
    """What a well-behaved registry would send."""
    found = handler.registry.repo("shop/web")
    name = handler.path.partition("?")[0].rpartition("/")[2]
    digest = found.tags.get(name, name)
    return found.blobs.get(digest) or found.manifests.get(digest, ("", b"?"))[1]


def status(code: int, **headers: str) -> Fault:
    def fault(handler: Handler) -> bool:
        handler.reply(code, b"nothing", **headers)
        return True

    return fault


def cut_at_once(handler: Handler) -> bool:
    handler.cut()
    return True


def cut_in_the_middle(handler: Handler) -> bool:
    data = content(handler)
    handler.send_response(200)
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.cut()
    return True


def flipped(handler: Handler) -> bool:
    data = bytearray(content(handler))
    data[len(data) // 2] ^= 1
    handler.reply(200, bytes(data), content_type="application/vnd.oci.image.manifest.v1+json")
    return True


def longer(handler: Handler) -> bool:
    handler.reply(200, content(handler) + b"x", content_type="application/vnd.oci.image.manifest.v1+json")
    return True


def shorter(handler: Handler) -> bool:
    handler.reply(200, content(handler)[:-1])
    return True


def endless(handler: Handler) -> bool:
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    try:
        for _ in range(2000):  # 128 MB, if anybody took it
            handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
    except OSError:
        pass
    handler.cut()
    return True


def page(handler: Handler) -> bool:
    handler.reply(200, b"<html><body>Please log in</body></html>", content_type="text/html")
    return True


def deep(handler: Handler) -> bool:
    handler.reply(200, b'{"schemaVersion":2,"x":' + b"[" * 100_000, content_type="application/json")
    return True


def huge(handler: Handler) -> bool:
    body = b'{"schemaVersion":2,"manifests":[' + b" " * 5_000_000 + b"]}"
    handler.reply(200, body, content_type="application/json")
    return True


def number(handler: Handler) -> bool:
    handler.reply(200, b"17", content_type="application/json")
    return True


def twice(handler: Handler) -> bool:
    handler.reply(200, b'{"schemaVersion":2,"schemaVersion":2}', content_type="application/json")
    return True


def compressed(handler: Handler) -> bool:
    handler.reply(200, b"\x1f\x8b\x08\0\0\0\0\0", content_encoding="gzip")
    return True


def wrong_range(handler: Handler) -> bool:
    data = content(handler)
    handler.reply(206, data[1:], content_range=f"bytes 1-{len(data) - 1}/{len(data)}")
    return True


def range_of_more(handler: Handler) -> bool:
    data = content(handler)
    handler.reply(206, data, content_range=f"bytes 0-{len(data) - 1}/{len(data) + 7}")
    return True


def cut_range(handler: Handler) -> bool:
    data = content(handler)
    start = int(handler.headers.get("range", "bytes=0-")[6:].partition("-")[0])
    part = data[start : start + max(len(data) // 8, 1)]
    handler.reply(206, part, content_range=f"bytes {start}-{start + len(part) - 1}/{len(data)}")
    return True


def circle(handler: Handler) -> bool:
    handler.reply(307, location=handler.path)
    return True


def away(handler: Handler) -> bool:
    handler.reply(307, location="http://127.0.0.1:1/")
    return True


def lying_digest(handler: Handler) -> bool:
    handler.reply(200, content(handler), docker_content_digest="sha256:" + "0" * 64)
    return True


def no_http(handler: Handler) -> bool:
    handler.wfile.write(b"\x00\x01\x02 SSH-2.0\r\n\r\n")
    handler.cut()
    return True


def endless_header(handler: Handler) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000)
    handler.cut()
    return True


def well(handler: Handler) -> bool:
    return False


FAULTS: dict[str, Fault] = {
    each.__name__: each
    for each in (
        well,
        cut_at_once,
        cut_in_the_middle,
        flipped,
        longer,
        shorter,
        endless,
        page,
        deep,
        huge,
        number,
        twice,
        compressed,
        wrong_range,
        range_of_more,
        cut_range,
        circle,
        away,
        lying_digest,
        no_http,
        endless_header,
    )
} | {
    "429": status(429),
    "429 now": status(429, retry_after="0"),
    "429 late": status(429, retry_after="9999"),
    "500": status(500),
    "503": status(503),
    "404": status(404),
    "403": status(403),
    "401": status(401),
    "401 bearer": status(401, www_authenticate='Bearer realm="http://127.0.0.1:1/token"'),
    "401 nonsense": status(401, www_authenticate='Bearer realm="file:///etc/passwd", Basic'),
    "204": status(204, content_length="0"),
    "416": status(416),
    "100 more": status(206, content_range="bytes 0-1/2"),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory):
    """A registry with one revision and its document."""
    store = Store.open_or_create(tmp_path_factory.mktemp("sample") / "store")
    revision = make_revision(store, SIZE, attached=1)
    with serving(Registry()) as registry, Web(patience=IMPATIENT, environment={}) as web:
        push(store, revision.digest, Repository(registry.host, "shop/web"), ["stable"], web=web)
        yield registry, revision


def all_whole(store: Store) -> bool:
    """Whether each blob is what its name says, and nothing that the index names is missing."""
    return fsck(store).whole and all(hash_file(path) == f"sha256:{path.name}" for path in store.blobs.folder.iterdir())


def attempt(registry: Registry, script: list[str]) -> tuple[PyContainerError | None, int]:
    """Pull with the faults of `script` in the way, one a request; then all is well. Returns what was raised."""
    waiting = list(script)
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    raised = None

    def trouble(handler: Handler) -> bool:
        with registry.lock:
            fault = FAULTS[waiting.pop(0)] if waiting else well
        return fault(handler)

    try:
        store = Store.open_or_create(folder)
        registry.seen.clear()
        with Web(patience=IMPATIENT, environment={"HOME": str(folder)}) as web:
            registry.trouble = trouble
            try:
                pull(Reference(Repository(registry.host, "shop/web"), "stable"), store, web=web)
            except PyContainerError as problem:
                raised = problem
            finally:
                registry.trouble = None
        assert all_whole(store)
        if raised is None:
            # It may hide what is attached, by saying that there is nothing; the revision itself is whole.
            assert len(list(store.blobs.folder.iterdir())) in (3, 6)
        else:
            assert not store.entries()
        return raised, len(registry.seen)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(script=st.lists(st.sampled_from(sorted(FAULTS)), max_size=12))
def test_whatever_happens_on_the_way_nothing_wrong_enters_the_store(sample, script: list[str]):
    registry, _ = sample
    raised, requests = attempt(registry, script)
    assert requests < 200
    if raised is not None:
        assert raised.what
        assert raised.exit_code in (3, 75)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_one_fault_all_the_time_is_an_error_that_ends(sample, name: str):
    registry, _ = sample
    raised, requests = attempt(registry, [name] * 300)
    if name == "well":
        assert raised is None
    elif name not in ("cut_range",):
        assert raised is not None
        assert raised.exit_code in (3, 75)
    assert requests < 120


BLOB_FAULTS = sorted(set(FAULTS) - {"well", "cut_range", "lying_digest"})


@pytest.mark.parametrize("name", BLOB_FAULTS)
def test_a_blob_that_is_never_right_is_refused_and_no_part_of_it_is_a_blob(sample, name: str, store: Store):
    registry, revision = sample
    blob = next(each for each in registry.repo("shop/web").blobs.items() if len(each[1]) == SIZE)[0]
    registry.trouble = lambda handler: handler.path.endswith(blob) and FAULTS[name](handler)
    try:
        with (
            Web(patience=IMPATIENT, environment={"HOME": "/nonexistent"}) as web,
            pytest.raises(PyContainerError) as caught,
        ):
            pull(Reference(Repository(registry.host, "shop/web"), None, revision.digest), store, web=web)
    finally:
        registry.trouble = None
    assert caught.value.exit_code in (3, 75)
    assert not store.has_blob(blob)
    assert not store.entries()
    assert all_whole(store)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_in_place_of_a_document_is_refused_in_words(sample, value: object):
    registry, _ = sample
    body = json.dumps(value).encode()

    def answer(handler: Handler) -> bool:
        if "/v2/shop" in handler.path:
            handler.reply(200, body, content_type="application/json")
        return "/v2/shop" in handler.path

    registry.trouble = answer
    none = "sha256:" + "0" * 64
    try:
        with Web(patience=IMPATIENT, environment={"HOME": "/nonexistent"}) as web:
            remote = Remote(Session(web, Place(Repository(registry.host, "shop/web"))))
            for question in (remote.tags, lambda: remote.manifest("stable"), lambda: remote.referrers(none)):
                with contextlib.suppress(FetchError):
                    question()
    finally:
        registry.trouble = None
