# SPDX-License-Identifier: MIT
"""One connection to a device: requests and their answers, one at a time."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.device.answers import (
    PROTOCOL,
    Answer,
    AnswerError,
    DeviceError,
    Finished,
    Ready,
    Version,
    encode_line,
    encode_request,
    parse_answer,
    plain,
    typed,
)
from orchestrator.device.pieces import Source, data_line, line_of, sizes_of, split
from orchestrator.device.stream import LinkError, Stream
from orchestrator.device.unstarted import Unstarted
from orchestrator.errors import VerificationError

Part = Callable[[dict[str, Any]], None]

ANSWER_SECONDS = 30.0
WORK_SECONDS = 300.0
"""How long the device may be silent over work of its own: hashing, sealing, bringing it to the disk."""
SETTLE_SECONDS = 0.5
"""How long a shared stream must be silent after the greeting's answer: answers to earlier greetings may follow."""
_GREET_AGAIN_SECONDS = 5.0
_LOOK = "see how the device is: pycontainer device status"
_CONTAINERS = "see which containers there are: pycontainer device ps"
_ADVICE = {
    **dict.fromkeys(("logs", "exec", "start", "stop", "restart"), _CONTAINERS),
    **dict.fromkeys(("try", "rollback"), "see what is installed: pycontainer device revisions"),
    "put": "make room and send it again: pycontainer device gc",
}
"""What to do after a refusal, whose reason is the device's own words."""
_NOISE_LIMIT = 10_000
"""Lines in a row that are no answers: a console that shares the line is patience's business, not without end."""


class Connection:
    """Asks and reads answers; after any error start a new connection, or let the next request find the thread again.

    A stream may still carry what an earlier program asked for. So the first request is always for the version, and
    what comes before its answer is passed over.
    """

    def __init__(self, stream: Stream, *, timeout: float = ANSWER_SECONDS, settle: float = SETTLE_SECONDS) -> None:
        self.stream = stream
        self.version: Version | None = None
        self._timeout = timeout
        self._settle = settle
        self._in_step = False

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()

    def hello(self, timeout: float | None = None) -> Version | None:
        """Find the thread: end a half line, ask for the version, skip what came before the answer to it.

        Returns None when this user may not ask for the version. Raises LinkError when no answer comes, and
        VerificationError when the device speaks another protocol.
        """
        timeout = timeout or self._timeout
        self._in_step = False
        greeting = b"\n" + encode_request("version", {})
        self.stream.write(greeting, timeout)
        deadline = time.monotonic() + timeout
        found: Answer | None = None
        for _ in range(_NOISE_LIMIT):
            # A refusal may belong to the half line that we ended, so our own answer may still come after it.
            patience = self._settle if found and not found.error else max(2.0, self._settle)
            rest = deadline - time.monotonic()
            line = self.stream.read_line(min(patience if found else _GREET_AGAIN_SECONDS, rest))
            if line is None and not found and deadline > time.monotonic():
                # A stream whose last user has just left may lose what comes first. Further answers are passed over.
                self.stream.write(greeting, timeout)
                continue
            if line is None:
                break
            try:
                answer = parse_answer(line)
            except AnswerError:  # the rest of what another program read half of
                continue
            if answer and answer.final and (answer.error or "protocol" in answer.value):
                found = answer
                if not answer.error and not self.stream.shared:
                    break
        if found is None:
            raise self.stream.silent(timeout)
        self._in_step = True
        if found.error:
            self.version = None
            return None
        self.version = typed(found.value, Version, "version")
        if self.version.protocol != PROTOCOL:
            raise VerificationError(
                f"the device speaks protocol {self.version.protocol}",
                f"this program speaks protocol {PROTOCOL}",
                "use the release of PyContainer that the device's host was built with",
            )
        return self.version

    def ask(
        self,
        verb: str,
        arguments: dict[str, Any] | None = None,
        *,
        on_part: Part | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Ask, hand each part of the answer to `on_part`, and return the members of its last object.

        `timeout` is how long the device may say nothing. Raises DeviceError with its reason when it refuses, LinkError
        when the link is lost or silent.
        """
        self._begin(verb, arguments or {})
        while True:
            answer = self._next(timeout or self._timeout)
            if answer.final:
                return self._end(verb, answer)
            if on_part:
                on_part(answer.value)

    def put(
        self,
        digest: str,
        size: int,
        source: Source,
        progress: Callable[[int], None] = lambda done: None,
        *,
        saving: Source | None = None,
    ) -> int:
        """Send a blob from where the device has it; returns how many bytes were sent.

        `progress` is called with how much of the blob the device has, or is about to have. `saving` is the source for a
        device that can copy out of its own blobs.
        """
        self._begin("put", {"digest": digest, "size": size})
        answer = self._next(WORK_SECONDS)
        if answer.final:
            self._end("put", answer)
            return 0
        ready = typed(answer.value, Ready, "put").ready
        offset = done = ready.offset
        sent = 0
        if offset > size:
            raise AnswerError("the device has more of a blob than there is", f"{offset} of {size} bytes of {digest}")
        progress(done)
        chosen = saving if saving is not None and ready.copy else source
        for piece in split(chosen(offset), self.stream.piece):
            self.stream.write(line_of(piece), self._timeout)
            size_of, sent_of = sizes_of(piece)
            done, sent = done + size_of, sent + sent_of
            progress(done)
            if done > size:
                break
            if (early := self._early()) is not None:
                return self._ended_early("put", early, sent)
        if done != size:
            self.stream.write(encode_line({"end": True}), self._timeout)
            self._in_step = False
            raise VerificationError(f"blob {digest} has the wrong size", f"{done} bytes in place of {size}")
        self._end("put", self._final(WORK_SECONDS))
        return sent

    def follow(self, container: str, lines: int, follow: bool, show: Callable[[str], None]) -> None:
        """Show a container's log lines; with `follow` until this is interrupted."""

        def part(value: dict[str, Any]) -> None:
            if isinstance(value.get("line"), str):
                show(value["line"])

        self._read("logs", {"container": container, "lines": lines, "follow": follow}, part)

    def observe(self, container: str | None, lines: int, follow: bool, show: Part) -> None:
        """Show what a container did, or all that are observed; with `follow` until this is interrupted."""
        named = {} if container is None else {"container": container}
        self._read("observe", {**named, "lines": lines, "follow": follow}, show)

    def _read(self, verb: str, arguments: dict[str, Any], part: Part) -> None:
        try:
            self.ask(verb, arguments, on_part=part, timeout=float("inf") if arguments["follow"] else None)
        except BaseException:
            self.stop()
            raise

    def execute(
        self,
        container: str,
        command: Sequence[str],
        show: Callable[[str, bytes], None],
        stdin: int | None = None,
    ) -> int:
        """Run a command in a container and return its status; 127 and 126 for one that is not there or cannot be run.

        `show` gets `out` or `err` and what the command wrote there; `stdin` is the descriptor that its standard input
        comes from, none when it is to be empty.
        """
        self._begin("exec", {"container": container, "command": list(command)})
        outgoing = bytearray() if stdin is not None else bytearray(encode_line({"end": True}))
        unstarted = Unstarted(show)
        try:
            while True:
                if self.stream.pump(outgoing, 1.0, None if outgoing else stdin):
                    assert stdin is not None
                    data = os.read(stdin, self.stream.piece)
                    outgoing += data_line(data) if data else encode_line({"end": True})
                    stdin = stdin if data else None
                while (line := self.stream.take_line()) is not None:
                    answer = self._parsed(line)
                    if answer is None:
                        continue
                    if answer.final:
                        # The device may not have read all that we sent: it must not take it for a request of ours.
                        value = self._end("exec", answer)
                        self._in_step = False
                        return unstarted.status(typed(value, Finished, "exec").status)
                    for name in ("out", "err"):
                        if name in answer.value:
                            unstarted.hear(name, _decoded(answer.value[name]))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Tell the device, if it can be told, that the rest of an answer is not wanted."""
        if self._in_step:
            return
        with contextlib.suppress(LinkError, OSError, ValueError):
            self.stream.write(encode_line({"end": True}), 1.0)

    def _begin(self, verb: str, arguments: dict[str, Any]) -> None:
        line = encode_request(verb, arguments)
        if not self._in_step:
            self.hello()
        self._in_step = False
        self.stream.write(line, self._timeout)

    def _parsed(self, line: bytes) -> Answer | None:
        answer = parse_answer(line)
        # Asked for by a connection before ours, while the device was not listening.
        return None if answer and answer.final and "protocol" in answer.value else answer

    def _next(self, timeout: float) -> Answer:
        deadline = time.monotonic() + timeout
        for _ in range(_NOISE_LIMIT):
            line = self.stream.read_line(deadline - time.monotonic())
            if line is None:
                raise self.stream.silent(timeout)
            if (answer := self._parsed(line)) is not None:
                return answer
        raise AnswerError(f"{self.stream.name} sends what is no answer", f"{_NOISE_LIMIT} lines of it")

    def _final(self, timeout: float) -> Answer:
        while not (answer := self._next(timeout)).final:
            pass
        return answer

    def _early(self) -> Answer | None:
        """Return the end of an answer that came while we were still sending."""
        self.stream.pump(bytearray(), 0)
        while (line := self.stream.take_line()) is not None:
            answer = self._parsed(line)
            if answer is not None and answer.final:
                return answer
        return None

    def _end(self, verb: str, answer: Answer) -> dict[str, Any]:
        self._in_step = True
        if answer.error is not None:
            raise DeviceError(f"the device refuses {verb}", answer.error, _ADVICE.get(verb, _LOOK))
        return answer.value

    def _ended_early(self, verb: str, answer: Answer, sent: int) -> int:
        try:
            self._end(verb, answer)
        finally:
            self._in_step = False  # what we sent beyond will be answered as if it were requests
        return sent


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error) as problem:
        raise AnswerError("the device sent output that is no base64", plain(str(value))[:80]) from problem
