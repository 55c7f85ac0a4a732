# SPDX-License-Identifier: MIT
"""HTTP to strangers: bounded in bytes, time, hops and tries; credentials stay with the server that they are for."""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx

from orchestrator import __version__
from orchestrator.errors import FetchError
from orchestrator.registry.errors import BrokenTransferError, BusyError, printable
from orchestrator.registry.failures import connection_failure, no_such_host
from orchestrator.registry.patience import Patience, retry_after
from orchestrator.registry.reference import Repository
from orchestrator.registry.tls import tls_context

AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that pass by themselves, usually."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 8
_NO_HOST_TRIES = 2

Body = bytes | Callable[[], Iterable[bytes]]
"""A request's body: bytes, or what makes it anew for another try."""


@dataclass(frozen=True)
class Answer:
    """A whole small answer."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL


@dataclass(frozen=True)
class Call:
    """One request. `insecure` is for its own host; `authorisation` is sent to its own origin only."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    insecure: bool = False
    authorisation: str | None = field(default=None, repr=False)


class Web:
    """Connections to all the servers that one transfer needs. Threads may share it; close it at the end."""

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        environment: Mapping[str, str] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.environment = environment
        self.stopped = threading.Event()
        """Set when the transfer is given up: whoever waits or reads ends."""
        self._tell = tell or (lambda text: None)
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def stop(self) -> None:
        """Give the transfer up, now: whoever waits for a server on another thread is woken."""
        self.stopped.set()
        with self._lock:
            for each in list(self._sockets):
                _wake(each)

    def resume(self) -> None:
        """Take up work again, once nothing of what was given up runs any more."""
        self.stopped.clear()

    def _traced(self, event: str, info: dict[str, object]) -> None:
        """Take note of each connection's socket (httpcore's trace extension), so that `stop` can close it."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            made = getattr(info.get("return_value"), "get_extra_info", lambda name: None)("socket")
            if isinstance(made, socket.socket):
                with self._lock:
                    self._sockets.add(made)
                    if self.stopped.is_set():  # given up while the connection was made
                        _wake(made)

    @contextmanager
    def open(self, call: Call) -> Iterator[httpx.Response]:
        """Send one request, follow redirects, and give the answer with its body still to be read.

        Raises BrokenTransferError when the connection fails, also while the block reads the body; FetchError for
        untrusted certificates and redirects that lead nowhere good.
        """
        host = printable(call.url.netloc.decode(), 80)
        try:
            response = self._follow(call)
            try:
                yield response
            finally:
                response.close()
        except httpx.InvalidURL as problem:
            raise FetchError(f"the registry {host} names an impossible address", printable(str(problem))) from None
        except httpx.TransportError as problem:
            raise connection_failure(host, problem) from problem

    def _follow(self, call: Call) -> httpx.Response:
        url, method, body, authorisation = call.url, call.method, call.body, call.authorisation
        for _ in range(_HOPS):
            self.check_stopped()
            same = _origin(url) == _origin(call.url)
            client = self._client(url, call.insecure and url.host == call.url.host)
            headers = dict(call.headers)
            if authorisation and same:
                headers["Authorization"] = authorisation
            content = body() if callable(body) else body
            traced = {"trace": self._traced}
            request = client.build_request(method, url, headers=headers, content=content, extensions=traced)
            response = client.send(request, stream=True)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            response.close()
            if body is not None and response.status_code not in (307, 308):
                raise FetchError(
                    f"the registry {call.url.host} sends an upload elsewhere", f"with the status {response.status_code}"
                )
            url = checked(url.join(response.headers["location"]), call.url)
        raise FetchError(
            f"the registry {call.url.host} leads in a circle", f"more than {_HOPS} redirects", "ask who runs it"
        )

    def _client(self, url: httpx.URL, insecure: bool) -> httpx.Client:
        host = url.netloc.decode()
        with self._lock:
            client = self._clients.get((host, insecure))
            if client is None:
                client = self._clients[host, insecure] = httpx.Client(
                    verify=tls_context(host, insecure=insecure, environment=self.environment),
                    # The usual environment names proxies; none stands between us and ourselves.
                    trust_env=not Repository(host, "").loopback,
                    follow_redirects=False,
                    timeout=httpx.Timeout(self.patience.silence, connect=self.patience.connect, pool=None),
                    limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
                    headers={"User-Agent": f"pycontainer/{__version__}", "Accept-Encoding": "identity"},
                )
            return client

    def fetch(self, call: Call, *, limit: int, tries: int | None = None) -> Answer:
        """Send one request and return its whole answer of at most `limit` bytes; tries again where that may help.

        Raises what `open` does, FetchError for an answer that is too large, BusyError when the server asks for more
        patience than we have.
        """
        return self.trying(lambda: self.once(call, limit), call.url.host, tries)

    def once(self, call: Call, limit: int) -> Answer:
        """Send one request, once, and return its whole answer of at most `limit` bytes, whatever its status."""
        with self.open(call) as response:
            body = b"" if call.method == "HEAD" else self.read(response, limit)
            return Answer(response.status_code, response.headers, body, response.url)

    def trying(self, attempt: Callable[[], Answer], host: str, tries: int | None = None) -> Answer:
        """Return what `attempt` gives, once it is no answer that passes by itself; waits between the tries."""
        most = tries or self.patience.tries
        for number in range(1, most + 1):
            try:
                answer = attempt()
            except BrokenTransferError as problem:
                enough = _NO_HOST_TRIES if no_such_host(problem) else most
                if number >= min(most, enough):
                    raise
                self.wait(self.patience.delay(number), host, problem.why)
                continue
            if answer.status not in AGAIN or number == most:
                break
            self.wait(self.asked(answer.headers, number, host), host, f"it answered {answer.status}")
        if answer.status in (429, 503):
            busy = BusyError(
                f"the registry {host} is busy",
                f"it answered {answer.status}, {most} times" if most > 1 else f"it answered {answer.status}",
                "run the same command again later; what has been transferred is kept",
            )
            busy.seconds = self.asked(answer.headers, 1, host)
            raise busy
        return answer

    def asked(self, headers: httpx.Headers, attempt: int, host: str) -> float:
        """Return the seconds to wait before try `attempt` + 1; raises BusyError when the server asks for too many."""
        own = self.patience.delay(attempt)
        seconds = retry_after(headers.get("retry-after", ""))
        if seconds is not None and seconds > self.patience.longest_asked:
            raise BusyError(
                f"the registry {host} is busy",
                f"it asks to come back in {int(min(seconds, 10**9))} seconds",
                "run the same command again then; what has been transferred is kept",
            )
        return max(seconds or 0.0, own)

    def wait(self, seconds: float, host: str, why: str) -> None:
        """Wait before another try; ends at once when the transfer is given up."""
        if seconds >= 2:
            self._tell(f"{host}: {why}; trying again in {seconds:.0f} s")
        self.stopped.wait(seconds)
        self.check_stopped()

    def check_stopped(self) -> None:
        """Raise FetchError when the transfer was given up."""
        if self.stopped.is_set():
            raise FetchError("the transfer was given up", "another part of it failed")

    def read(self, response: httpx.Response, limit: int) -> bytes:
        """Return a body of at most `limit` bytes that comes within the patience for small answers."""
        deadline = time.monotonic() + self.patience.answer
        chunks, size = [], 0
        for chunk in plain_body(response):
            size += len(chunk)
            if size > limit:
                raise FetchError(
                    f"the registry {response.url.host} answers without end", f"more than {limit} bytes came"
                )
            if time.monotonic() > deadline:
                raise BrokenTransferError(f"the registry {response.url.host} answers too slowly", f"{size} bytes came")
            self.check_stopped()
            chunks.append(chunk)
        return b"".join(chunks)


def _wake(connection: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS has nothing to say here


def plain_body(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body as it comes; refuses one that is compressed, for we never ask for that."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError(f"the registry {response.url.host} compresses its answer", "it was asked not to")
    return response.iter_raw()


def checked(url: httpx.URL, before: httpx.URL) -> httpx.URL:
    """Return an address that a server named, once it is one that we go to; `before` is where it was named."""
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise FetchError(f"the registry {before.host} sends us to an impossible address", printable(url.scheme, 20))
    if before.scheme == "https" and url.scheme != "https":
        raise FetchError(
            f"the registry {before.host} sends us from https to plain http",
            f"to the host {printable(url.raw_host.decode(), 80)}",
            "ask who runs it: behind a proxy it must know that it is reached by https",
        )
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
