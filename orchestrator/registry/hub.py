# SPDX-License-Identifier: MIT
"""Docker Hub, the one registry that is not at the host of its name (docs.docker.com, Docker Hub; containers/image)."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.registry.reference import Repository

NAMES = ("docker.io", "index.docker.io")
"""What references and auth files call it; Docker itself writes the second one into its configuration."""
HOST = "registry-1.docker.io"
"""Where it answers."""
_STORED = "https://index.docker.io/v1/"


def served_at(repository: Repository) -> Repository:
    """Return where a repository is really served; names of one word are below `library` there."""
    if repository.host not in (*NAMES, HOST):
        return repository
    name = repository.name if "/" in repository.name else f"library/{repository.name}"
    return Repository(HOST, name)


def known_as(repository: Repository) -> list[Repository]:
    """Return the names by which an auth file may know a repository, its own first."""
    if repository.host != HOST:
        return [repository]
    return [repository, *(replace(repository, host=name) for name in NAMES)]


def stored_as(repository: Repository) -> str:
    """Return the key by which a helper for all registries knows a repository's registry."""
    return _STORED if repository.host == HOST else repository.host
