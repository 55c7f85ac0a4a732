# SPDX-License-Identifier: MIT
"""The one BitBake release whose private protocols this launcher speaks, and the error for every other one."""

SUPPORTED = "2.19.0"


class LauncherError(Exception):
    """A mistake the user can mend: `what` went wrong, `why`, and the `hint` what to do."""

    def __init__(self, what: str, why: str, hint: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.hint = what, why, hint

    def __str__(self) -> str:
        return f"error: {self.what}\n  why: {self.why}\n  to do: {self.hint}"


class WheelMissing(LauncherError):
    """This Python has no bitbake-setup at all; another Python may have it."""


def require(version: str) -> None:
    """Raise LauncherError unless `version` is the supported release.

    The messages between server and worker changed within the last releases, so any other release is refused rather
    than tried.
    """
    if version != SUPPORTED:
        raise LauncherError(
            f"BitBake {version} is not supported",
            f"the launcher speaks the private protocol of bitbake-setup {SUPPORTED} only",
            f"run: pip install bitbake-setup=={SUPPORTED}",
        )
