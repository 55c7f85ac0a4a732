# SPDX-License-Identifier: MIT
"""What went wrong with a connection, in words: untrusted certificates, unknown names, silence, cuts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from orchestrator.errors import FetchError
from orchestrator.registry.errors import BrokenTransferError, printable


def causes(problem: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what led to it."""
    seen = 0
    while problem is not None and seen < 10:
        yield problem
        problem, seen = problem.__cause__ or problem.__context__, seen + 1


def no_such_host(problem: BaseException) -> bool:
    """Whether a host's name is not known."""
    return any(isinstance(each, socket.gaierror) for each in causes(problem))


def connection_failure(host: str, problem: httpx.TransportError) -> FetchError:
    """Return the error for a request that got no answer: BrokenTransferError where another try may help."""
    for each in causes(problem):
        if isinstance(each, ssl.SSLCertVerificationError):
            return FetchError(
                f"the certificate of {host} is not trusted",
                printable(each.verify_message or str(each)),
                f"put its authority's certificate into certs.d/{host}/ca.crt, or name it in PYCONTAINER_CA",
            )
        if isinstance(each, socket.gaierror):
            return BrokenTransferError(
                f"the registry {host} cannot be reached", "its name is not known", "check the name and the network"
            )
        if isinstance(each, ConnectionRefusedError):
            return BrokenTransferError(
                f"the registry {host} cannot be reached",
                "nobody listens at its port",
                "check host and port, and that the registry runs",
            )
    if isinstance(problem, httpx.TimeoutException):
        return BrokenTransferError(
            f"the registry {host} does not answer", "nothing came in time", "check the network and try again"
        )
    return BrokenTransferError(
        f"the connection to {host} failed", printable(str(problem)) or type(problem).__name__, "try again"
    )
