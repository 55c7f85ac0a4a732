# SPDX-License-Identifier: MIT
"""Which program a container runs: ENTRYPOINT, CMD and the product's word, checked against the image."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping

from orchestrator.errors import ConfigError
from orchestrator.layers import filecaps
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.nodes import File
from orchestrator.layers.options import RunOptions
from orchestrator.layers.tree import PATH_MAX, Tree


def image_path(text: str, what: str) -> str:
    """Return an absolute path of the image without `.`, `..` and doubled slashes; raises ConfigError for others."""
    if not text.startswith("/") or "\0" in text or len(text.encode()) >= PATH_MAX:
        raise ConfigError(f"{what} is at {text[:80]!r}", "it must be an absolute path")
    if ".." in text.split("/"):
        raise ConfigError(f"{what} is at {text[:80]!r}", "'..' is not allowed in it")
    return "/" + posixpath.normpath(text).lstrip("/")


def checked_command(
    image: ImageConfig,
    options: RunOptions,
    tree: Tree,
    environment: Mapping[str, str],
    working: str,
    mounted: Collection[str],
) -> tuple[str, ...]:
    """Return the argument list: the product's entrypoint or the image's, then the product's command or the image's.

    An entrypoint of the product drops the image's command, as the engines do. Raises ConfigError when there is none,
    or when the program is not in the image, or the kernel would not start it; a program below a place in `mounted` is
    taken on trust.
    """
    entrypoint = image.entrypoint if options.entrypoint is None else options.entrypoint
    command = image.command if options.entrypoint is None else ()
    if options.command is not None:
        command = options.command
    arguments = entrypoint + command
    if not arguments or not arguments[0]:
        raise ConfigError(
            f"the layer {options.name} has nothing to run",
            "neither the image nor the product file names a command",
            "set 'command' of the layer in the product file",
        )
    if any("\0" in word for word in arguments):
        raise ConfigError(f"the command of the layer {options.name} has a NUL in it")
    file = _find_program(arguments[0], options.name, tree, environment, working, mounted)
    if file is not None:
        filecaps.check(file, arguments[0], options.name, options.capabilities)
    return arguments


def _find_program(
    program: str, layer: str, tree: Tree, environment: Mapping[str, str], working: str, mounted: Collection[str]
) -> File | None:
    if "/" in program:
        candidates = [posixpath.join(working, program)]
    else:
        candidates = [posixpath.join(working, folder, program) for folder in environment.get("PATH", "").split(":")]
    for candidate in candidates:
        if any(candidate.startswith(place + "/") for place in mounted):
            return None
        node = tree.get(candidate.encode())
        if isinstance(node, File) and node.mode & 0o111:
            return node
    raise ConfigError(
        f"the layer {layer} cannot run {program!r}",
        "the image has no executable file " + (f"at {candidates[0]}" if "/" in program else "of that name in PATH"),
        "check 'command' of the layer, and what the image holds",
    )
