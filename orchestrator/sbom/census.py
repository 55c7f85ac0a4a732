# SPDX-License-Identifier: MIT
"""The census of a layer: every regular file belongs to a component, has a known reason to be there, or is unowned."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.sbom.contents import Removed
from orchestrator.sbom.files import hashes, shown
from orchestrator.sbom.inventory import Inventory
from orchestrator.sbom.model import Bucket, Census, UnownedFile

SHOWN = 1000
"""How many paths of a kind a document lists."""

_PYTHON_CACHE = re.compile(r"(.*)/__pycache__/([^/]+)\.cpython-[^/]+\.pyc\Z")
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(rf"(?:{pattern})\Z"))
    for reason, pattern in (
        (
            "a package manager's own records",
            r"var/lib/dpkg/.*|(?:usr/)?lib/apk/.*|etc/apk/.*|var/lib/apk/.*|var/lib/rpm/.*|usr/lib/sysimage/.*"
            r"|(?:var|usr)/lib/opkg/.*|var/lib/apt/.*|var/cache/.*|var/lib/dnf/.*|var/lib/yum/.*|var/lib/ucf/.*"
            r"|var/lib/(?:pam|systemd|polkit-1|misc|alternatives|xml-core|sgml-base|emacsen-common|python)/.*"
            r"|etc/alternatives/.*|etc/\.pwd\.lock|etc/.*\.(?:dpkg|ucf|rpm)-[a-z]+",
        ),
        ("accounts and names of the system", r"etc/(?:sub)?[ug]id-?|etc/g?shadow-?|etc/(?:passwd|group)-?|etc/shells"
         r"|etc/(?:hostname|hosts|resolv\.conf|machine-id|fstab|timezone|localtime|nsswitch\.conf|environment)"
         r"|etc/default/locale|etc/locale\.(?:conf|gen)"),
        (
            "indexes and caches made of installed files",
            r"etc/ld\.so\.cache|.*/gconv-modules\.cache|usr/lib/locale/.*|.*/mime/.*|.*/mimeinfo\.cache|.*/hwdb\.bin"
            r"|.*/gschemas\.compiled|.*/loaders\.cache|.*/giomodule\.cache|.*/icon-theme\.cache|.*/fonts\.(?:dir|scale)"
            r"|usr/share/info/dir|.*\.cache-[0-9]+|.*/modules\.(?:alias|dep|symbols|builtin\.alias|builtin|softdep"
            r"|weakdep|devname|order)(?:\.bin)?|usr/share/vim/vim[0-9]+/doc/tags|.*/\.uuid",
        ),
        ("certificates made of installed ones", r"etc/ssl/certs/.*|etc/ca-certificates\.conf|etc/pki/.*"
         r"|etc/ssl/cert\.pem|usr/share/pki/.*"),
        ("left by a running system", r"(?:var/)?run/.*|(?:var/)?tmp/.*|var/log/.*|root/\..*|\.dockerenv"),
    )
)  # fmt: skip


@dataclass
class Accounts:
    """Who owns what in a layer, while it is found out. The first claim on a file holds."""

    inventory: Inventory
    owner: dict[str, str] = field(default_factory=dict)
    reason: dict[str, str] = field(default_factory=dict)
    inner: dict[str, str] = field(default_factory=dict)
    """Files that a component within the owner is: a kernel module of a kernel package."""

    def claim(self, key: str, paths: Iterable[str], *, links: bool = True) -> None:
        """Note that the component `key` claims these paths; with `links` they may lead through links above them."""
        for path in paths:
            found = path if path in self.inventory.by_path else self.inventory.tree.canonical(path) if links else None
            if found is not None and found not in self.reason:
                self.owner.setdefault(found, key)

    def explain(self, reason: str, paths: Iterable[str]) -> None:
        """Note why files are there that no component owns."""
        for path in paths:
            found = path if path in self.inventory.by_path else self.inventory.tree.canonical(path)
            if found is not None and found not in self.owner:
                self.reason.setdefault(found, reason)

    def explain_known(self) -> None:
        """Explain what systems make of their packages: databases, caches, accounts."""
        for entry in self.inventory.entries:
            path = entry.path
            if path in self.owner or path in self.reason:
                continue
            match = _PYTHON_CACHE.match(path)
            if match and f"{match[1]}/{match[2]}.py" in self.owner:
                self.owner[path] = self.owner[f"{match[1]}/{match[2]}.py"]
                continue
            found = next((reason for reason, pattern in _RULES if pattern.match(path)), None)
            if found is not None and path not in self.inventory.programs:  # programs are nobody's cache
                self.reason[path] = found

    def unowned(self) -> list[str]:
        """Return the paths that neither a component nor a reason accounts for, sorted."""
        return [
            entry.path
            for entry in self.inventory.entries
            if entry.path not in self.owner and entry.path not in self.reason
        ]

    def owned_by(self) -> dict[str, list[str]]:
        """Return the paths of each component, sorted."""
        found: dict[str, list[str]] = {}
        for entry in self.inventory.entries:
            for key in dict.fromkeys((self.owner.get(entry.path), self.inner.get(entry.path))):
                if key is not None:
                    found.setdefault(key, []).append(entry.path)
        return found

    def census(self, removed: Iterable[Removed]) -> Census:
        """Return the counts, and the unowned files with their hashes."""
        sizes = {entry.path: entry.size for entry in self.inventory.entries}
        reasons: dict[str, list[int]] = {}
        owned: list[int] = []
        for path, size in sizes.items():
            if path in self.owner:
                owned.append(size)
            elif path in self.reason:
                reasons.setdefault(self.reason[path], []).append(size)
        unowned = self.unowned()
        listed = tuple(
            UnownedFile(
                shown(path), sizes[path], hashes(self.inventory.source(path)).sha256, path in self.inventory.code
            )
            for path in unowned[:SHOWN]
        )
        gone = sorted(removed, key=lambda each: each.reason)
        return Census(
            files=len(sizes),
            size=sum(sizes.values()),
            owned=Bucket("belongs to a component", len(owned), sum(owned)),
            explained=tuple(Bucket(reason, len(each), sum(each)) for reason, each in sorted(reasons.items())),
            unowned_total=Bucket("unowned", len(unowned), sum(sizes[path] for path in unowned)),
            unowned=listed,
            removed=tuple(Bucket(each.reason, each.files, each.size) for each in gone),
            removed_paths=tuple(shown(path) for each in gone for path in each.paths)[:SHOWN],
        )
