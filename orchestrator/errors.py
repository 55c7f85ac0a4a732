# SPDX-License-Identifier: MIT
"""The one error tree: what happened, why, and what to do, with the exit code that `main` returns."""

from __future__ import annotations


class PyContainerError(Exception):
    """A failure that a user can understand and act on.

    `what` is one line naming the failure, `why` one line naming the cause (may be empty), `hint` one line saying what
    to do (may be empty). `exit_code` is what the process ends with.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)


class ConfigError(PyContainerError):
    """Usage or configuration: a wrong option, a typo in the product file, a missing host tool."""

    exit_code = 2


class FetchError(PyContainerError):
    """Something could not be downloaded, or came with the wrong digest."""

    exit_code = 3


class BuildError(PyContainerError):
    """BitBake or an assembling step failed."""

    exit_code = 4


class VerificationError(PyContainerError):
    """A check or a test of a built thing failed; a blob does not match its digest."""

    exit_code = 5


class TrustError(PyContainerError):
    """Policy or signature: a missing, wrong or insufficient signature or key."""

    exit_code = 7


class TryAgainError(PyContainerError):
    """A passing condition: another build holds the lock, the disk is full."""

    exit_code = 75
