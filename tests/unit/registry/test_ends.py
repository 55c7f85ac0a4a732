# SPDX-License-Identifier: MIT
"""Transfers that cannot go on end at once, whole, and say so: failures, interrupts, full disks, slow lines."""

from __future__ import annotations

import _thread
import errno
import socket
import threading
import time
from pathlib import Path

import pytest

from orchestrator.errors import TryAgainError
from orchestrator.oci import Store, fsck
from orchestrator.oci.files import Files
from orchestrator.oci.partial import partial_blob
from orchestrator.registry import (
    BrokenTransferError,
    DeniedError,
    Patience,
    Place,
    Reference,
    Remote,
    Repository,
    Session,
    Web,
    pull,
    push,
)
from orchestrator.registry.transfer import in_parallel
from tests.unit.registry.conftest import IMPATIENT, make_revision
from tests.unit.registry.fake import Handler, Registry, digest_of


@pytest.fixture
def pushed(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store, 3_000_000, 2_000_000, attached=0)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    return store.read_manifest(revision.digest).layers


def test_one_refusal_ends_what_waits_for_a_silent_server(
    registry: Registry, other: Store, reference: Reference, environment: dict[str, str], pushed
):
    released = threading.Event()

    def trouble(handler: Handler) -> bool:
        if handler.path.endswith(pushed[0].digest):
            released.wait(20)
            return False
        if handler.path.endswith(pushed[1].digest):
            handler.reply(403)
            return True
        return False

    registry.trouble = trouble
    began = time.monotonic()
    with Web(patience=Patience(silence=30), environment=environment) as web, pytest.raises(DeniedError):
        pull(reference, other, web=web)
    assert time.monotonic() - began < 10
    released.set()
    assert not other.entries()


def test_a_connection_that_is_made_after_the_end_was_asked_for_is_not_waited_on(environment: dict[str, str]):
    ours, theirs = socket.socketpair()
    stream = type("Stream", (), {"get_extra_info": lambda self, name: ours})()
    with Web(environment=environment) as web, theirs:
        web.stop()
        web._traced("connection.connect_tcp.complete", {"return_value": stream})
        ours.settimeout(5)
        assert ours.recv(1) == b""
        ours.close()


def test_the_connections_are_good_for_the_next_transfer(
    registry: Registry, web: Web, other: Store, reference: Reference, pushed
):
    registry.trouble = lambda handler: handler.path.endswith(pushed[1].digest) and (handler.reply(403) or True)
    with pytest.raises(DeniedError):
        pull(reference, other, web=web)
    registry.trouble = None
    pull(reference, other, web=web)
    assert fsck(other).whole


def test_an_interrupt_ends_all_at_once(web: Web):
    began = time.monotonic()
    threading.Timer(0.2, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        in_parallel(web, lambda number: web.stopped.wait(20) and None, range(8))
    assert time.monotonic() - began < 10


class FullDisk(Files):
    """Takes so many bytes and no more."""

    left = 2_500_000

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(descriptor, data)


def test_a_full_disk_keeps_what_came_and_the_next_run_goes_on(
    registry: Registry, web: Web, reference: Reference, tmp_path: Path, pushed
):
    full = Store.open_or_create(tmp_path / "full", FullDisk())
    with pytest.raises(TryAgainError, match="disk is full"):
        pull(reference, full, web=web)
    assert not full.entries()
    assert fsck(full).whole
    roomy = Store.open_or_create(tmp_path / "full")
    assert pull(reference, roomy, web=web).moved < 5_000_000
    assert fsck(roomy).whole


def test_a_line_that_stands_nearly_still_is_cut(
    registry: Registry, other: Store, reference: Reference, environment: dict[str, str], pushed
):
    def drip(handler: Handler) -> bool:
        if not handler.path.endswith(pushed[0].digest):
            return False
        handler.send_response(200)
        handler.send_header("content-length", str(pushed[0].size))
        handler.end_headers()
        try:
            while not done.wait(0.02):
                handler.wfile.write(b"\x01")
        except OSError:
            pass
        return True

    done = threading.Event()
    registry.trouble = drip
    patience = Patience(tries=2, first_delay=0.001, slow_bytes=1000, slow_seconds=0.2)
    with Web(patience=patience, environment=environment) as web, pytest.raises(Exception, match=r"still|does not come"):
        pull(reference, other, web=web)
    done.set()


def test_two_who_bring_the_same_blob_do_not_disturb_each_other(store: Store):
    data = b"x" * 100_000
    digest = digest_of(data)
    with partial_blob(store.blobs, digest) as first, partial_blob(store.blobs, digest) as second:
        first.append(data[:50_000])
        second.append(data)
        second.finish()
        first.append(data[50_000:])
        first.finish()
    assert store.read_blob(digest, limit=len(data)) == data
    assert fsck(store).leftovers == []


def test_a_partial_blob_of_wrong_bytes_never_becomes_one(store: Store):
    digest = digest_of(b"right")
    with partial_blob(store.blobs, digest) as partial:
        partial.append(b"wrong")
        assert not partial.right
        with pytest.raises(ValueError):
            partial.finish()
    assert not store.has_blob(digest)


def test_progress_counts_up_to_the_whole(registry: Registry, web: Web, other: Store, reference: Reference, pushed):
    told: list[tuple[int, int]] = []
    pull(reference, other, web=web, tell=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert told[-1][1] > 5_000_000
    assert all(done <= total for done, total in told)


def test_long_waits_are_told(registry: Registry, environment: dict[str, str]):
    said: list[str] = []
    with Web(patience=IMPATIENT, environment=environment, tell=said.append) as web:
        waiter = threading.Timer(0.1, web.stop)
        waiter.start()
        with pytest.raises(Exception, match="given up"):
            web.wait(30, "registry.example", "it answered 429")
    assert said == ["registry.example: it answered 429; trying again in 30 s"]


def test_a_proxy_of_the_environment_is_used_but_not_to_reach_ourselves(
    registry: Registry, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, reference: Reference, pushed
):
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            asked.append(client.recv(65536).splitlines()[0])
            client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            client.close()

    threading.Thread(target=proxy, daemon=True).start()
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.getsockname()[1]}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Web(patience=IMPATIENT, environment=environment) as web:
        assert Remote(Session(web, Place(reference.repository))).head("stable")
        assert asked == []
        with pytest.raises(BrokenTransferError):
            Remote(Session(web, Place(Repository("registry.invalid", "web")))).head("stable")
    listener.close()
    assert set(asked) == {b"CONNECT registry.invalid:443 HTTP/1.1"}
