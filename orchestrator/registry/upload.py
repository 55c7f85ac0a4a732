# SPDX-License-Identifier: MIT
"""Blobs from a store into a registry (distribution-spec, pushing blobs): asked for first, mounted, or sent and resumed.

A small blob goes in one PUT. A large one goes in one PATCH that may be cut: the registry then says how much it has, and
the rest follows; the place of an upload is kept beside the store, so that another run goes on too.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence

import httpx
import msgspec

from orchestrator.canonical import write_atomically
from orchestrator.errors import FetchError, PyContainerError
from orchestrator.oci import Descriptor, Store
from orchestrator.oci.partial import PARTIAL
from orchestrator.registry.errors import BrokenTransferError, BusyError, DeniedError, NotFoundError
from orchestrator.registry.session import Session
from orchestrator.registry.transfer import Meter
from orchestrator.registry.web import AGAIN, Answer, checked

SMALL_BLOB = 1024 * 1024
"""Up to here a blob goes in one request."""
_PIECE = 1024 * 1024
_CHUNK = 16 * 1024 * 1024
"""What a registry that refuses a large request gets at a time."""
_REQUESTS = 10_000
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})\Z")
_OCTETS = {"Content-Type": "application/octet-stream"}


class _Place(msgspec.Struct, frozen=True):
    """An upload that was begun: where it goes on."""

    url: str
    origin: str


class _StartAgainError(Exception):
    """The registry knows nothing of this upload any more."""


def upload(session: Session, store: Store, blob: Descriptor, meter: Meter, mount_from: Sequence[str] = ()) -> None:
    """Bring a blob of `store` into the repository of `session`, unless it is there.

    `mount_from` are names of repositories on the same server that may have it. Raises VerificationError when the
    store's own blob is damaged, FetchError when the registry refuses, BusyError or BrokenTransferError when it or the
    network fails for long.
    """
    if _there(session, blob):
        meter.add(blob.size, moved=False)
        return
    sender = _Sender(session, store, blob, meter)
    if any(sender.mounted(name) for name in mount_from):
        meter.add(blob.size, moved=False)
        return
    sender.send()


def _there(session: Session, blob: Descriptor) -> bool:
    try:
        answer = session.call("HEAD", session.url(f"blobs/{blob.digest}"))
    except NotFoundError:
        return False
    return answer.headers.get("content-length") in (None, str(blob.size))


class _Sender:
    def __init__(self, session: Session, store: Store, blob: Descriptor, meter: Meter) -> None:
        self.session = session
        self.web = session.web
        self.store = store
        self.blob = blob
        self.meter = meter
        self.offset = 0
        self.chunk = blob.size
        self.url: httpx.URL | None = None
        name = hashlib.sha256(f"{session.base()}\n{session.repository}\n{blob.digest}".encode()).hexdigest()
        self.note = store.root / PARTIAL / f"upload-{name[:32]}"

    def mounted(self, name: str) -> bool:
        """Ask the server to take the blob over from another repository; an upload that it begins instead is used."""
        if self.url is not None or name == self.session.repository.name:
            return False
        query = {"mount": self.blob.digest, "from": name}
        try:
            answer = self._begin(query, also_pull=name)
        except DeniedError:  # we may not read there: then the bytes are sent
            return False
        if answer.status == 201:
            return True
        self.url = self.session.location(answer)
        return False

    def _begin(self, query: dict[str, str], also_pull: str = "") -> Answer:
        url = self.session.url("blobs/uploads/", **query)
        return self.session.call("POST", url, body=b"", expected=frozenset({201, 202}), also_pull=also_pull)

    def send(self) -> None:
        """Send what the registry does not have yet, and let it check the whole."""
        failures = 0
        why = ""
        for _ in range(_REQUESTS):
            before = self.offset
            try:
                if self.url is None and self._open(again=bool(why)):
                    return
                if self._step():
                    self._forget()
                    return
                why = "it takes nothing"
            except _StartAgainError as problem:
                self._drop()
                failures, why = failures + 1, str(problem)
                before = self.offset  # beginning anew is no progress, and must end some time
            except (BrokenTransferError, BusyError) as problem:
                self.web.check_stopped()
                why = problem.why
                if failures + 1 >= self.web.patience.tries:
                    raise
                asked = problem.seconds if isinstance(problem, BusyError) else 0.0
                delay = max(asked, self.web.patience.delay(failures + 1))
                self.web.wait(delay, self.session.repository.host, why)
                self._ask_offset()
            failures = 0 if self.offset - before >= min(SMALL_BLOB, self.blob.size // 2 + 1) else failures + 1
            if failures >= 2 * self.web.patience.tries:
                break
        raise FetchError(
            f"the registry {self.session.repository.host} does not take blob {self.blob.digest}",
            why,
            "push again later",
        )

    def _open(self, *, again: bool) -> bool:
        """Go on with an upload of an earlier run, or begin one; True when the registry has the blob by now."""
        if again and _there(self.session, self.blob):  # the answer that said so was lost
            self._forget()
            return True
        if self.blob.size > SMALL_BLOB and (known := self._remembered()) is not None:
            self.url = known
            with contextlib.suppress(FetchError, BusyError):
                self._ask_offset()
            if self.url is not None:
                return False
        self._move(0)
        self._go_on(self._begin({}))
        return False

    def _step(self) -> bool:
        """Send the next part; True when the registry has confirmed the whole."""
        left = self.blob.size - self.offset
        if self.offset == 0 and self.blob.size <= SMALL_BLOB:
            self._close(left)
            return True
        if left:
            self._patch(min(left, self.chunk))
            return False
        self._close(0)
        return True

    def _patch(self, count: int) -> None:
        assert self.url is not None
        start = self.offset
        headers = _OCTETS | {"Content-Length": str(count), "Content-Range": f"{start}-{start + count - 1}"}
        answer = self.session.call(
            "PATCH",
            self.url,
            headers=headers,
            body=lambda: self._body(start, count),
            expected=frozenset({201, 202, 204, 401, 404, 413, 416, *AGAIN}),
            tries=1,
        )
        if answer.status == 413 and count > _CHUNK:
            self.chunk = _CHUNK
            raise _StartAgainError("it takes no request as large as the blob")
        if answer.status == 404:
            raise _StartAgainError("it has forgotten the upload")
        if answer.status in (401, 416, *AGAIN):
            raise BrokenTransferError("an upload did not go on", f"it answered {answer.status}")
        if answer.status == 413:
            raise self.session.refused(413, answer.body)
        self._go_on(answer)
        self._move(self._offset(answer, start + count))

    def _close(self, count: int) -> None:
        """Complete the upload, with the last `count` bytes."""
        assert self.url is not None
        start = self.offset
        answer = self.session.call(
            "PUT",
            self.url.copy_merge_params({"digest": self.blob.digest}),
            headers=_OCTETS | {"Content-Length": str(count)},
            body=(lambda: self._body(start, count)) if count else b"",
            expected=frozenset({201, 204, 400, 404, 416, *AGAIN}),
            tries=1,
        )
        if answer.status in (201, 204):
            return
        if answer.status in AGAIN:
            raise BrokenTransferError("an upload could not be completed", f"it answered {answer.status}")
        if answer.status == 400:
            self.store.verify_blob(self.blob.digest, self.blob.size)
        raise _StartAgainError(self.session.refused(400, answer.body).why)

    def _body(self, start: int, count: int) -> Iterator[bytes]:
        self._move(start)
        with self.store.blobs.open(self.blob.digest) as stream:
            stream.seek(start)
            left = count
            while left:
                data = stream.read(min(_PIECE, left))
                if not data:
                    raise FetchError(f"blob {self.blob.digest} is shorter than announced", "the store is damaged")
                left -= len(data)
                self.web.check_stopped()
                yield data
                self._move(self.offset + len(data))

    def _move(self, offset: int) -> None:
        self.meter.add(offset - self.offset)
        self.offset = offset

    def _ask_offset(self) -> None:
        """Learn how much has arrived; an upload that the registry forgot begins anew."""
        if self.url is None:
            return
        answer = self.session.call("GET", self.url, expected=frozenset({200, 202, 204, 400, 404, 405}))
        if answer.status in (400, 404, 405):
            self._drop()
            return
        try:
            self._move(self._offset(answer, 0))
        except _StartAgainError:
            self._drop()
            return
        self._go_on(answer)

    def _drop(self) -> None:
        """Let go of an upload that leads nowhere."""
        self._move(0)
        self.url = None
        self._forget()

    def _go_on(self, answer: Answer) -> None:
        if "location" in answer.headers or self.url is None:
            self.url = self.session.location(answer)
        if self.blob.size > SMALL_BLOB:
            self._remember()

    def _remember(self) -> None:
        """Keep the upload's place; a store that cannot be written to forgets it, and loses nothing but time."""
        place = _Place(str(self.url), str(self.session.base()))
        with contextlib.suppress(OSError):
            write_atomically(self.note, msgspec.json.encode(place), 0o600)

    def _remembered(self) -> httpx.URL | None:
        with contextlib.suppress(OSError, msgspec.MsgspecError, httpx.InvalidURL, PyContainerError):
            place = msgspec.json.decode(self.note.read_bytes(), type=_Place)
            if place.origin == str(self.session.base()):
                return checked(httpx.URL(place.url), self.session.base())
        return None

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self.note.unlink(missing_ok=True)

    def _offset(self, answer: Answer, otherwise: int) -> int:
        """Return how many bytes an upload has: the header Range names the last one (0-0 also means none)."""
        match = _RANGE.match(answer.headers.get("range", ""))
        if match is None:
            return otherwise
        last = int(match[1])
        if last >= self.blob.size:
            raise _StartAgainError("it says that it has more than the blob")
        return last + 1 if last else 0
