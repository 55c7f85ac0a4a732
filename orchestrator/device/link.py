# SPDX-License-Identifier: MIT
"""A connection that comes back: over a lost line, over a device that restarts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from orchestrator.device.answers import typed
from orchestrator.device.protocol import ANSWER_SECONDS, SETTLE_SECONDS, Connection, Part
from orchestrator.device.stream import LinkError
from orchestrator.device.transports import Transport

T = TypeVar("T")
ATTEMPTS = 10
"""How often in a row a link may be lost without anything new having come across."""


class Link:
    """A device behind a transport. Connects when something is asked; use it as a context manager.

    `pause` is how many seconds to wait before connecting again, the longer the oftener it failed; `settle` see
    `Connection`.
    """

    def __init__(
        self, transport: Transport, *, timeout: float = ANSWER_SECONDS, pause: float = 1.0, settle: float | None = None
    ) -> None:
        self.name = transport.name
        self.pause = pause
        self._transport = transport
        self._timeout = timeout
        self._settle = SETTLE_SECONDS if settle is None else settle
        self._connection: Connection | None = None
        self._failures = 0

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def connection(self, timeout: float | None = None) -> Connection:
        """Return the connection, made and greeted when there is none; raises LinkError when that does not work."""
        if self._connection is None:
            connection = Connection(self._transport.open(), timeout=self._timeout, settle=self._settle)
            try:
                connection.hello(timeout)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def drop(self) -> None:
        """Close the connection, if there is one; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self,
        verb: str,
        arguments: dict[str, Any] | None = None,
        *,
        on_part: Part | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Ask once and return the answer; see `Connection.ask`. A link that is lost is dropped."""
        with self.dropping():
            return self.connection(timeout).ask(verb, arguments, on_part=on_part, timeout=timeout)

    def ask_for(
        self, verb: str, kind: type[T], arguments: dict[str, Any] | None = None, *, timeout: float | None = None
    ) -> T:
        """Ask once, and return the answer as a value of a type."""
        with self.dropping():
            return typed(self.ask(verb, arguments, timeout=timeout), kind, verb)

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Drop the connection when the block finds the link lost or garbled."""
        try:
            yield
        except LinkError:
            self.drop()
            raise

    def persist(self, action: Callable[[Connection], T], say: Callable[[str], None]) -> T:
        """Carry out an action that can be begun again, as often as the link is lost; see `progressed`.

        The first connection must come about. Raises the last LinkError after `ATTEMPTS` losses without progress.
        """
        self._failures = 0
        self.connection()
        while True:
            try:
                return action(self.connection())
            except LinkError as problem:
                self.drop()
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise
                if self._failures == 1:
                    say(f"{problem.what} ({problem.why}); trying again")
                time.sleep(self.pause * self._failures)

    def progressed(self) -> None:
        """Something new has come across: what failed before counts no more."""
        self._failures = 0
