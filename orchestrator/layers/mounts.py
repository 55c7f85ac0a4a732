# SPDX-License-Identifier: MIT
"""Where a container may write and what is mounted there: the product's volumes, the image's, and what is in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from orchestrator.canonical import sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.layers import defaults
from orchestrator.layers.command import image_path
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.init import MACHINE_ID
from orchestrator.layers.nodes import BytesContent, Directory, File, Node
from orchestrator.layers.options import FileMapping, RunOptions, Tmpfs, Volume
from orchestrator.layers.tree import Tree
from orchestrator.layers.users import User

_EMPTIED_SIZE = 64 * 1024 * 1024

_HOSTS_LIMIT = 64 * 1024
"""Bytes of an image's own /etc/hosts; HOSTS_OWN_MOST of the device program."""


def emptied(image: ImageConfig, options: RunOptions, tree: Tree) -> tuple[Tmpfs, ...]:
    """Return a tmpfs for each volume of the image that is by custom empty at each start (hier(7)), unless the product
    says what it is."""
    taken = {
        image_path(place, "a mount")
        for place in (
            *(volume.destination for volume in options.volumes),
            *(item.destination for item in options.tmpfs),
        )
    }
    found = []
    for place in ("/run", "/tmp"):
        if place not in taken and place in {image_path(text, "a volume of the image") for text in image.volumes}:
            node = tree.get(place.encode())
            own = node if isinstance(node, Directory) else Directory(mode=0o1777 if place == "/tmp" else 0o755)
            found.append(Tmpfs(place, _EMPTIED_SIZE, own.mode, own.uid, own.gid))
    return tuple(found)


def volumes_of(image: ImageConfig, options: RunOptions, tree: Tree, user: User, notes: list[str]) -> tuple[Volume, ...]:
    """Return the product's volumes and one of kind boot for each of the image that it does not mention.

    Owner and mode are decided; remarks for the user are added to `notes`. Raises ConfigError for a name given twice.
    """
    declared = [(volume, image_path(volume.destination, f"the volume {volume.name}")) for volume in options.volumes]
    taken = {place for _, place in declared} | {image_path(item.destination, "a tmpfs") for item in options.tmpfs}
    for text in image.volumes:
        place = image_path(text, "a volume of the image")
        if place not in taken:
            taken.add(place)
            used = {volume.name for volume, _ in declared}
            declared.append((Volume(name=_image_volume(place, used), destination=place, kind="boot"), place))
            notes.append(f"the image's volume {place} lasts one boot; name it in the product file to keep it")
    found = []
    for volume, place in declared:
        node = tree.get(place.encode())
        there = node if isinstance(node, Directory) else None
        if there is not None and there.children:
            notes.append(f"the volume at {place} hides files of the image")
        own = there or Directory(mode=0o755, uid=user.uid, gid=user.gid)
        found.append(
            Volume(
                name=volume.name,
                destination=place,
                kind=volume.kind,
                read_only=volume.read_only,
                mode=own.mode if volume.mode is None else volume.mode,
                uid=own.uid if volume.uid is None else volume.uid,
                gid=own.gid if volume.gid is None else volume.gid,
            )
        )
    names = [volume.name for volume in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two volumes of the layer {options.name} have the name {name}")
    return tuple(found)


def _image_volume(place: str, taken: set[str]) -> str:
    """Return a volume's name for a place: readable, of at most 63 characters, and not among `taken`."""
    text = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in place.lower())
    name = f"image-{text.strip('-')}"
    if len(name) > 63 or name in taken or name.endswith("-"):
        name = f"{name[:50]}-{sha256_digest(place.encode())[-12:]}"
    return name


def mounts_of(options: RunOptions, volumes: tuple[Volume, ...]) -> list[dict[str, Any]]:
    """Return the mounts in the order in which the runtime makes them; raises ConfigError for two at one place."""
    found = defaults.mounts(options.shared_memory, own_groups=options.init is not None)
    extra = []
    for item in options.tmpfs:
        extra.append(
            {
                "destination": image_path(item.destination, "a tmpfs"),
                "type": "tmpfs",
                "source": "tmpfs",
                "options": [
                    "nosuid",
                    "nodev",
                    "noexec",
                    f"mode={item.mode:o}",
                    f"size={item.size}",
                    f"uid={item.uid}",
                    f"gid={item.gid}",
                ],
            }
        )
    for volume in volumes:
        extra.append(
            {
                "destination": volume.destination,
                "type": "bind",
                "source": f"{defaults.VOLUME_ROOT}/{options.name}/{volume.name}",
                "options": ["rbind", "rprivate", "nosuid", "nodev", "ro" if volume.read_only else "rw"],
            }
        )
    if options.control:
        extra.append(
            {
                "destination": defaults.CONTROL_PLACE,
                "type": "bind",
                "source": f"{defaults.CONTROL_ROOT}/{options.name}",
                "options": ["bind", "ro", "nosuid", "nodev", "noexec"],
            }
        )
    if options.init == "systemd":
        extra.append(
            {
                "destination": MACHINE_ID,
                "type": "bind",
                "source": f"{defaults.MACHINE_ID_ROOT}/{options.name}",
                "options": ["bind", "ro", "nosuid", "nodev", "noexec"],
            }
        )
    extra.sort(key=lambda mount: str(mount["destination"]))  # what lies in another mount comes after it
    seen = {"/"}
    for mount in found + extra:
        place = str(mount["destination"])
        if place in seen or (mount in extra and place.startswith(("/proc/", "/sys/", "/dev/"))):
            raise ConfigError(
                f"the layer {options.name} cannot have a mount at {place}",
                "something else is mounted there already",
                "give each volume and tmpfs its own directory",
            )
        seen.add(place)
    return found + extra


def check_hidden(options: RunOptions, tree: Tree, mounts: list[dict[str, Any]], notes: list[str]) -> None:
    """Refuse files of the product that a mount would hide, and remark, in `notes`, those that it hides of the image.

    The mount points are in `tree`, and so are the files; links are followed as the runtime follows them.
    """
    in_memory = {image_path(item.destination, "a tmpfs") for item in options.tmpfs}
    for mount in mounts:
        place = str(mount["destination"])
        there = tree.get(place.encode())
        if not isinstance(there, Directory):
            continue
        below = [there, *_below(there)]
        hidden = {id(node) for node in below}
        for item in options.files:
            if id(_laid(tree, item)) in hidden:
                raise ConfigError(
                    f"the layer {options.name} would never see {item.destination}, which 'files' lays into it",
                    f"something else is mounted at {place}, and hides what the layer has there",
                    f"lay the file elsewhere, or mount only the folders below {place} that it does not lie in",
                )
        if place in in_memory and any(isinstance(node, File) for node in below):
            notes.append(f"the tmpfs at {place} hides files of the image")


def _laid(tree: Tree, item: FileMapping) -> Node | None:
    """What `files` has laid into a tree: a folder, or a file, which goes into a folder that is at its destination."""
    destination = image_path(item.destination, f"the destination of {item.source}").encode()
    found = tree.get(destination)
    if isinstance(found, Directory) and item.source.is_file():
        return tree.get(destination.rstrip(b"/") + b"/" + os.fsencode(item.source.name))
    return found


def _below(folder: Directory) -> Iterator[Node]:
    """Everything below a folder; no link is followed."""
    waiting = [folder]
    while waiting:
        for node in waiting.pop().children.values():
            yield node
            if isinstance(node, Directory):
                waiting.append(node)


def hosts_mount(options: RunOptions, tree: Tree, mtime: int) -> dict[str, Any]:
    """Return the mount of the file that names a bridged container's neighbours; the supervisor copies the image's own
    lines into it. The image gets an empty file where it has none. Raises ConfigError for one that it
    would not take."""
    own = tree.get(b"/etc/hosts")
    if isinstance(own, File) and own.content.size > _HOSTS_LIMIT:
        raise ConfigError(
            f"/etc/hosts of layer {options.name!r} is too large",
            f"{own.content.size} bytes; a device takes {_HOSTS_LIMIT} of a container on the bridge",
            "shorten it, or give the layer another network",
        )
    if own is None:
        tree.ensure_directory(b"/etc", mtime=mtime)
        tree.add(b"/etc/hosts", File(mode=0o644, mtime=mtime, content=BytesContent(b"")))
    return {
        "destination": "/etc/hosts",
        "type": "bind",
        "source": f"{defaults.HOSTS_ROOT}/{options.name}",
        "options": ["bind", "ro", "nosuid", "nodev", "noexec"],
    }
