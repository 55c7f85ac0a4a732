# SPDX-License-Identifier: MIT
"""Users and groups of an image: read from the tree's own passwd and group, never from this machine.

OCI image specification, config property `User`: user, uid, user:group, uid:gid, uid:group, user:gid.
Files: passwd(5), group(5).
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import ConfigError
from orchestrator.layers.nodes import File
from orchestrator.layers.tree import Tree

_ID_MAX = 2**32 - 2  # 2^32-1 is "no change" to chown(2)
_FILE_MAX = 4 * 1024 * 1024


@dataclass(frozen=True)
class User:
    """Who a container's process is; `home` is empty when the image does not say."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""


def resolve_user(tree: Tree, text: str, extra_groups: tuple[str, ...] = ()) -> User:
    """Return the user that `text` names; the empty text is root, as the specification says.

    A number needs no entry; its group is then that of its entry, or 0. With no group given, the supplementary groups
    of /etc/group apply. `extra_groups` (names or numbers) are added. Raises ConfigError for a name that is not there.
    """
    wanted, colon, wanted_group = text.partition(":")
    if (colon and not wanted_group) or (not wanted and text):
        raise ConfigError(f"the user {text!r} is not complete", "expected USER, UID, USER:GROUP or UID:GID")
    passwd = _entries(tree, b"/etc/passwd", 7)
    group = _entries(tree, b"/etc/group", 4)
    uid = _number(wanted or "0")
    entry = next((e for e in passwd if (e[0] == wanted if uid is None else _number(e[2]) == uid)), None)
    if uid is None:
        if entry is None:
            raise _unknown("user", wanted, "/etc/passwd", passwd)
        uid = _checked(entry[2], wanted)
    primary = _checked(entry[3], entry[0]) if entry else 0
    groups: list[int] = []
    if wanted_group:
        primary = _group(group, wanted_group)
    elif entry:
        groups = [_checked(e[2], e[0]) for e in group if entry[0] in e[3].split(",")]
    groups += [_group(group, name) for name in extra_groups]
    home = entry[5] if entry and entry[5].startswith("/") else ""
    return User(uid=uid, gid=primary, groups=tuple(sorted(set(groups) - {primary})), home=home)


def _group(entries: list[list[str]], wanted: str) -> int:
    number = _number(wanted)
    if number is not None:
        return number
    for entry in entries:
        if entry[0] == wanted:
            return _checked(entry[2], wanted)
    raise _unknown("group", wanted, "/etc/group", entries)


def _entries(tree: Tree, path: bytes, fields: int) -> list[list[str]]:
    """Return the lines of a database that are entries; comments, NIS lines and broken ones are none."""
    node = tree.get(path)
    if not isinstance(node, File):
        return []
    if node.content.size > _FILE_MAX:
        raise ConfigError(f"{path.decode()} of the image is too large", f"the limit is {_FILE_MAX} bytes")
    lines = b"".join(node.content.chunks()).decode("utf-8", "surrogateescape").split("\n")
    found = [line.split(":") for line in lines if line and line[0] not in "#+-"]
    return [entry for entry in found if len(entry) == fields and entry[0] and _number(entry[2]) is not None]


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > _ID_MAX:
        raise ConfigError(f"the user or group number {text[:20]} is out of range", f"the largest is {_ID_MAX}")
    return int(text)


def _checked(text: str, name: str) -> int:
    number = _number(text)
    if number is None:
        raise ConfigError(f"the entry of {name!r} in the image has no valid number", f"it says {text!r}")
    return number


def _unknown(what: str, name: str, where: str, entries: list[list[str]]) -> ConfigError:
    known = ", ".join(entry[0] for entry in entries[:12])
    return ConfigError(
        f"the {what} {name!r} is not in the image",
        f"{where} of the image has: {known or 'nothing'}",
        f"name one of these, or give the number of the {what}",
    )
