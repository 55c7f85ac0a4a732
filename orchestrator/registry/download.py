# SPDX-License-Identifier: MIT
"""Blobs from a registry into a store: resumed after a cut, each byte counted, nothing kept that is not what it says.

With a plan (orchestrator.delta) only what is nowhere here comes, by one Range request for each piece of it; the rest is
copied from blobs of the store. When that does not give the right bytes, or the server knows no ranges, all of it comes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import httpx

from orchestrator.delta import Plan
from orchestrator.errors import FetchError, VerificationError
from orchestrator.oci import Descriptor, Store
from orchestrator.oci.partial import PartialBlob, partial_blob
from orchestrator.registry.errors import BrokenTransferError, BusyError
from orchestrator.registry.session import SMALL, Session
from orchestrator.registry.transfer import Meter
from orchestrator.registry.web import AGAIN, plain_body

_WRONG = 3
"""Answers that are not what was asked for, until one gives up: a proxy between may have spoiled the first."""
_REQUESTS = 1000
_PROGRESS = 1024 * 1024
"""Bytes that a try must bring to count as going on, or one in a hundred of the blob."""
_PIECE = 1024 * 1024
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(?:(\d{1,19})|\*)\Z")


class _Wrong(Exception):
    """An answer that is no part of the blob; its text says how."""


def download(
    sources: Sequence[Session], store: Store, blob: Descriptor, meter: Meter, plan: Plan | None = None
) -> None:
    """Bring a blob into `store`, unless it is there, from the first of `sources` that has it.

    `plan` says which of its bytes other blobs of the store have; what it says wrongly costs time, no more.

    Raises the error of the last source: FetchError when all that it gives is wrong, BrokenTransferError and BusyError
    when the network or the server fails for long; what has come by then is kept for the next run.
    """
    if store.has_blob(blob.digest, blob.size):
        meter.add(blob.size, moved=False)
        return
    with partial_blob(store.blobs, blob.digest) as partial:
        meter.add(partial.size, moved=False)
        for position, source in enumerate(sources, 1):
            try:
                _Download(source, store, partial, blob, meter, plan).run()
                break
            except (FetchError, BusyError):
                source.web.check_stopped()
                if position == len(sources):
                    raise
        partial.finish()


class _Download:
    """One blob from one server, into what is here of it."""

    def __init__(
        self,
        session: Session,
        store: Store,
        partial: PartialBlob,
        blob: Descriptor,
        meter: Meter,
        plan: Plan | None,
    ) -> None:
        self.session, self.store, self.partial, self.blob, self.meter = session, store, partial, blob, meter
        self.plan = plan if plan is not None and plan.size == blob.size else None
        self.requests = _REQUESTS + (plan.requests if plan else 0)

    def run(self) -> None:
        """Fetch and copy until it is whole and right."""
        web, blob, partial = self.session.web, self.blob, self.partial
        failures = wrong = 0
        for _ in range(self.requests):
            before = partial.size
            delay: float | None = None
            try:
                if partial.size > blob.size:
                    raise _Wrong(f"more than {blob.size} bytes came")
                self.copy()
                if partial.size < blob.size or blob.size == 0:
                    end = self.end()
                    delay = self.piece(end, failures + 1)
                    if delay is None and partial.size == end < blob.size:  # as planned: the next piece
                        failures = 0
                        continue
                if partial.size == blob.size:
                    if partial.right:
                        return
                    raise _Wrong("its bytes have another digest")
                why = "the connection ended early"
            except _Wrong as problem:
                self.restart()
                why = str(problem)
                if self.plan is not None:  # the fault may be the plan's, or of a blob here
                    self.plan = None
                    continue
                wrong += 1
                if wrong >= _WRONG:
                    raise FetchError(
                        f"the registry {self.session.repository.host} does not give blob {blob.digest}",
                        f"{why}, {wrong} times",
                        "try again over another network, or ask who runs it; nothing of it was kept",
                    ) from None
            except BrokenTransferError as problem:
                web.check_stopped()
                why = problem.why
                if failures + 1 >= web.patience.tries:
                    raise
            failures = 0 if partial.size - before >= min(_PROGRESS, max(blob.size // 100, 1)) else failures + 1
            if failures >= web.patience.tries:
                raise BusyError(
                    f"blob {blob.digest} does not come",
                    f"{self.session.repository.host}: {why}, {failures} times",
                    "run the same command again later; what has been transferred is kept",
                )
            pause = web.patience.delay(failures or 1) if delay is None else delay
            web.wait(pause, self.session.repository.host, why)
        raise FetchError(f"blob {blob.digest} comes in too many pieces", f"{self.requests} requests were made")

    def restart(self) -> None:
        """Forget what came."""
        self.meter.add(-self.partial.size, moved=False)
        self.partial.restart()

    def copy(self) -> None:
        """Append what the plan has next out of blobs of the store; without one that is nothing."""
        while self.plan is not None and self.partial.size < self.blob.size:
            segment = self.plan.at(self.partial.size)
            if segment.source is None:
                return
            try:
                with self.store.blobs.open(segment.source) as stream:
                    stream.seek(segment.offset)
                    left = segment.size
                    while left and (data := stream.read(min(left, _PIECE))):
                        self.session.web.check_stopped()
                        self.partial.append(data)
                        self.meter.add(len(data), moved=False)
                        left -= len(data)
            except (VerificationError, OSError) as problem:
                raise _Wrong(f"blob {segment.source} of the store cannot be read") from problem
            if left:
                raise _Wrong(f"blob {segment.source} of the store is shorter than its index says")

    def end(self) -> int:
        """Return up to which byte to ask for."""
        if self.plan is None:
            return self.blob.size
        return self.partial.size + self.plan.at(self.partial.size).size

    def piece(self, end: int, attempt: int) -> float | None:
        """Ask for a blob's bytes up to `end` and append what comes; returns the seconds to wait when it is busy."""
        session, partial, blob = self.session, self.partial, self.blob
        start = partial.size
        whole = start == 0 and end == blob.size
        headers = {} if whole else {"Range": f"bytes={start}-{'' if end == blob.size else end - 1}"}
        with session.stream(session.url(f"blobs/{blob.digest}"), headers) as response:
            status = response.status_code
            if status in AGAIN:
                return session.web.asked(response.headers, attempt, session.repository.host)
            if status == 416:
                raise _Wrong("it has no such range of it")
            if status not in (200, 206):
                body = session.web.read(response, SMALL)
                raise session.refused(status, body)
            _check_start(response, start, end, blob.size)
            if status == 200 and not whole:  # it knows no ranges: all comes again
                self.restart()
                self.plan = None
                end = blob.size
            _check_length(response, end - partial.size)
            _append(session, response, partial, blob, end, self.meter)
        return None


def _check_start(response: httpx.Response, start: int, end: int, size: int) -> None:
    if response.status_code != 206:
        return
    match = _RANGE.match(response.headers.get("content-range", ""))
    if match is None or int(match[1]) != start or int(match[2]) >= end or (match[3] and int(match[3]) != size):
        raise _Wrong("it gives another range of it than asked for")


def _check_length(response: httpx.Response, left: int) -> None:
    text = response.headers.get("content-length", "")
    if text.isdecimal() and text.isascii():
        length = int(text[:20])
        if length > left or (response.status_code == 200 and length != left):
            raise _Wrong(f"it announces {length} bytes, {left} are wanted")


def _append(
    session: Session, response: httpx.Response, partial: PartialBlob, blob: Descriptor, end: int, meter: Meter
) -> None:
    """Append a body as it comes, up to `end`, in large pieces: each costs the threads a turn of the interpreter."""
    web = session.web
    marked, counted = time.monotonic(), 0
    pieces: list[bytes] = []
    waiting = 0

    def keep() -> None:
        nonlocal waiting
        if waiting:
            partial.append(b"".join(pieces))
            meter.add(waiting)
        pieces.clear()
        waiting = 0

    try:
        for chunk in plain_body(response):
            if partial.size + waiting + len(chunk) > end:
                raise _Wrong(f"more than {end} of {blob.size} bytes came")
            pieces.append(chunk)
            waiting += len(chunk)
            counted += len(chunk)
            web.check_stopped()
            if waiting >= _PIECE:
                keep()
            if counted >= web.patience.slow_bytes:
                marked, counted = time.monotonic(), 0
            elif time.monotonic() - marked > web.patience.slow_seconds:
                raise BrokenTransferError("a transfer stands nearly still", f"{counted} bytes came", "try again")
    finally:
        keep()
