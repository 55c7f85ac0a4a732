# SPDX-License-Identifier: MIT
"""Who one is at a registry: the auth files that every container tool writes (containers-auth.json(5)), and helpers.

Nothing here is ever printed: a credential's `repr` has no secret, and errors name files and programs only.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.registry.hub import known_as, stored_as
from orchestrator.registry.reference import Repository

_LIMIT = 1024 * 1024
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HELPER_SECONDS = 60
_NOT_FOUND = "credentials not found"
"""What a helper prints, on standard output, for a registry that it knows nothing of (docker-credential-helpers)."""
_TOKEN_USER = "<token>"
"""The user name by which a helper says that the secret is an identity token."""


@dataclass(frozen=True)
class Credential:
    """A user and password, or an identity token (an OAuth 2 refresh token) instead of the password."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header of the scheme Basic (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def secrets(self) -> list[str]:
        """Return what must appear in no message."""
        return [word for word in (self.password, self.identity_token, self.basic.partition(" ")[2]) if word]


class _Auth(msgspec.Struct, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _AuthFile(msgspec.Struct, frozen=True, rename={"helpers": "credHelpers", "store": "credsStore"}):
    auths: dict[str, _Auth] = {}
    helpers: dict[str, str] = {}
    store: str = ""


class _HelperAnswer(msgspec.Struct, frozen=True, rename={"username": "Username", "secret": "Secret"}):
    username: str = ""
    secret: str = ""


def auth_files(environment: Mapping[str, str]) -> list[Path]:
    """Return the files that are asked, in order; `REGISTRY_AUTH_FILE` alone when it is set."""
    if own := environment.get("REGISTRY_AUTH_FILE"):
        return [Path(own)]
    home = Path(environment.get("HOME") or "/")
    found = []
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        found.append(Path(runtime) / "containers" / "auth.json")
    found.append(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json")
    if docker := environment.get("DOCKER_CONFIG"):
        found.append(Path(docker) / "config.json")
    return [*found, home / ".docker" / "config.json"]


def find_credential(repository: Repository, environment: Mapping[str, str] | None = None) -> Credential | None:
    """Return the credential for a repository, or None: then one is anonymous.

    In each file the longest key that is the repository or a part in front of it counts; of two of one length a helper
    goes before a stored password. Raises ConfigError for a file that cannot be read or a helper that fails.
    """
    around = os.environ if environment is None else environment
    for path in auth_files(around):
        content = _read(path)
        if content is None:
            continue
        auths = {_key(key): value for key, value in content.auths.items()}
        helpers = {_key(key): value for key, value in content.helpers.items()}
        for key in _keys(repository):
            if helper := helpers.get(key):
                if (found := _ask(helper, key, around)) is not None:
                    return found
            elif key in auths and (found := _stored(auths[key], path, key)) is not None:
                return found
        if content.store and (found := _ask(content.store, stored_as(repository), around)) is not None:
            return found
    return None


def _keys(repository: Repository) -> Iterator[str]:
    """Yield host/a/b, host/a, host for the repository host/a/b, of each name that its host has."""
    names = [[each.host, *each.name.split("/")] for each in known_as(repository)]
    for count in range(len(names[0]), 0, -1):
        for words in names:
            yield "/".join(words[:count])


def _key(text: str) -> str:
    """Return a key as we look it up: docker writes some as an address with the version of the interface behind it."""
    key = re.sub(r"\Ahttps?://", "", text).rstrip("/")
    return re.sub(r"/v[12]\Z", "", key)


def _read(path: Path) -> _AuthFile | None:
    try:
        data = read_limited(path, _LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise ConfigError(
            f"the auth file {path} cannot be read", problem.strerror or "", "mend its permissions or remove it"
        ) from problem
    try:
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        return msgspec.json.decode(data or b"{}", type=_AuthFile)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Not the parser's own words: they may quote the file, and the file holds passwords.
        raise ConfigError(
            f"the auth file {path} is damaged", "it is not JSON of the form that login writes", "log in again"
        ) from None


def _stored(entry: _Auth, path: Path, key: str) -> Credential | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, colon, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            colon = ""
        if not colon:
            raise ConfigError(
                f"the auth file {path} is damaged", f"the entry {key} is not USER:PASSWORD in base64", "log in again"
            ) from None
        password = password.rstrip("\0")
    if not username and not entry.identitytoken:
        return None
    return Credential(username, password, entry.identitytoken)


def _ask(helper: str, key: str, environment: Mapping[str, str]) -> Credential | None:
    """Ask the program `docker-credential-HELPER` (its protocol: `get`, the registry on standard input, JSON back)."""
    name = f"docker-credential-{helper}"
    if not _HELPER.match(helper):
        raise ConfigError("a credential helper has an impossible name", repr(helper[:80]), "mend the auth file")
    program = shutil.which(name, path=environment.get("PATH"))
    if program is None:
        raise ConfigError(
            f"the credential helper {name} is missing",
            f"the auth file names it for {key}",
            "install it, or log in without it",
        )
    try:
        done = subprocess.run(
            [program, "get"],
            input=key.encode(),
            env=dict(environment),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        why = "it did not answer in time" if isinstance(problem, subprocess.TimeoutExpired) else str(problem)
        raise ConfigError(f"the credential helper {name} failed", why, "try it by hand, or log in again") from None
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout.decode(errors="replace").lower():
            return None
        raise ConfigError(
            f"the credential helper {name} failed",
            f"exit status {done.returncode} for {key}",
            f"try it by hand: echo {key} | {name} get",
        )
    try:
        if len(done.stdout) > _LIMIT:
            raise ValueError
        answer = msgspec.json.decode(done.stdout, type=_HelperAnswer)
    except (msgspec.MsgspecError, ValueError):
        raise ConfigError(f"the credential helper {name} failed", "its answer is not the JSON expected") from None
    if answer.username == _TOKEN_USER:
        return Credential("", identity_token=answer.secret)
    return Credential(answer.username, answer.secret) if answer.username else None
