# SPDX-License-Identifier: MIT
"""Keys of a service that put files and writable places into it. Compose Specification, 05-services.md, 07-volumes.md,
08-configs.md and 09-secrets.md."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.compose import values
from orchestrator.compose.draft import Draft, Needless, Reader, Refused, Rule, Value, attempt_each, follow, into, wrong
from orchestrator.compose.process import beside, source

_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_OPTIONS = {"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"}


def _number(path: str, value: Value) -> int:
    return values.number(path, value, 0, 2**32 - 2)


def _target(path: str, text: str) -> str:
    if not text.startswith("/") or posixpath.normpath(text) == "/":
        raise wrong(path, f"{text!r} is no absolute path in the container")
    return "/" + posixpath.normpath(text).lstrip("/")


def _volumes(draft: Draft, path: str, value: Value) -> None:
    attempt_each(draft, path, value, _mount)


def _mount(draft: Draft, path: str, value: Value) -> None:
    if not isinstance(value, str):
        _long(draft, path, value)
        return
    parts = value.split(":")
    options = parts[2].split(",") if len(parts) > 2 else []
    if len(parts) > 3 or not set(options) <= _OPTIONS:
        raise wrong(path, f"{value!r} is no volume", "write SOURCE:TARGET or SOURCE:TARGET:ro")
    origin, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    bind = origin.startswith((".", "/", "~"))
    _place(draft, path, "bind" if bind else "volume", origin, target, "ro" in options)


def _long(draft: Draft, where: str, item: Value) -> None:
    found: dict[str, Value] = {"type": "volume", "source": "", "read_only": False}
    memory: dict[str, Value] = {}
    rules: dict[str, Rule] = {
        "type": into(found, "type", values.text),
        "source": into(found, "source", values.text),
        "target": into(found, "target", values.text),
        "read_only": into(found, "read_only", values.boolean),
        "consistency": Needless("it is about files that two machines share"),
        "bind": lambda draft, path, value: follow(draft, path, value, BIND),
        "volume": lambda draft, path, value: follow(draft, path, value, VOLUME),
        "image": Refused("an image is a layer of its own", "copy what is needed into the service's image"),
        "tmpfs": lambda draft, path, value: follow(
            draft, path, value, {"size": into(memory, "size", values.size), "mode": into(memory, "mode", values.mode)}
        ),
    }
    follow(draft, where, item, rules)
    if "target" not in found:
        raise wrong(where, "the place in the container, 'target', is missing")
    if found["type"] == "tmpfs":
        place = _target(where, found["target"])
        draft.add("tmpfs", {"destination": place, **memory} if memory else place)
    else:
        _place(draft, where, found["type"], found["source"], found["target"], found["read_only"])


BIND: dict[str, Rule] = {
    "propagation": Refused("nothing is mounted from the device", "remove it"),
    "create_host_path": Needless("nothing is mounted from the device"),
    "recursive": Needless("nothing is mounted from the device"),
    "selinux": Needless("the device has no SELinux"),
}
VOLUME: dict[str, Rule] = {
    "nocopy": Needless("an empty volume stays empty: it hides what the image has there"),
    "subpath": Refused("a volume is mounted as a whole", "give the service a volume of its own"),
    "labels": Needless("they are for people"),
}


def _place(draft: Draft, where: str, kind: str, origin: str, target: str, read_only: bool) -> None:
    place = _target(where, target)
    if kind == "bind":
        _bind(draft, where, origin, place, read_only)
    elif kind != "volume":
        raise wrong(where, f"mounts of the type {kind} are not made", "use a volume, a tmpfs, or files of the product")
    elif not origin:
        name = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[:60] or "data"
        draft.add("volumes", {"name": name, "destination": place, "kind": "boot"})
        draft.tightened.append(f"what it writes to {place} lasts until the device restarts: the volume has no name")
    else:
        _named(draft, where, origin, place, read_only)


def _named(draft: Draft, where: str, origin: str, place: str, read_only: bool) -> None:
    if not _VOLUME.fullmatch(origin):
        raise wrong(where, f"{origin!r} is no name of a volume")
    if origin not in draft.around.top.get("volumes", {}):
        raise wrong(where, f"the file has no volume {origin}", "name it under the file's 'volumes'")
    shared = draft.facts["volumes_of_others"].get(origin)
    if shared:
        why = f"the volume {origin} is {shared}'s too, and a volume belongs to one container"
        raise wrong(where, why, "let one of them serve it to the other, or put both programs into one image")
    volume = {"name": origin.lower(), "destination": place}
    draft.volumes.append(origin)
    draft.add("volumes", volume | ({"readOnly": True} if read_only else {}))
    draft.facts["hides"] = True


def _bind(draft: Draft, where: str, origin: str, place: str, read_only: bool) -> None:
    if origin.endswith("docker.sock"):
        why = "there is no engine on the device whose socket could be given"
        raise wrong(where, why, "see 'relax: - control:' for the device's own")
    if not origin.startswith("."):
        why = f"{origin} is a place of another machine"
        raise wrong(where, why, "copy it beside pycontainer.yaml, or use a named volume for what is written")
    if not read_only:
        why = f"{origin} of the machine that builds would have to be written to"
        raise wrong(where, why, "add :ro, which puts the files into the layer; or use a named volume")
    found = beside(draft, where, origin)
    if not found.exists():
        raise wrong(where, f"{origin} does not exist", "make it, or correct the path")
    draft.add("files", {"source": source(draft, found), "destination": place})
    draft.tell(where, "honoured", "its files become part of the layer")


_IN_MEMORY: dict[str, Reader] = {"size": values.size, "mode": values.mode, "uid": _number, "gid": _number}


def _tmpfs(draft: Draft, path: str, value: Value) -> None:
    attempt_each(draft, path, value, _memory)


def _memory(draft: Draft, path: str, value: Value) -> None:
    place, _, options = values.text(path, value).partition(":")
    found: dict[str, Value] = {"destination": _target(path, place)}
    for option in filter(None, options.split(",")):
        name, _, setting = option.partition("=")
        if name in _IN_MEMORY:
            found[name] = _IN_MEMORY[name](path, setting)
        elif name not in ("rw", "nosuid", "nodev", "noexec"):
            raise wrong(path, f"the option {option} is not possible", "size, mode, uid and gid are")
    draft.add("tmpfs", found if len(found) > 1 else found["destination"])


def _content(draft: Draft, where: str, kind: str, name: str) -> str | bytes:
    """The place of a secret's or config's file, relative to the product, or its bytes; raises WrongValue."""
    top = draft.around.top.get(f"{kind}s", {})
    if name not in top:
        raise wrong(where, f"the file has no {kind} {name}", f"name it under the file's '{kind}s'")
    entry = top[name] if isinstance(top[name], Mapping) else {}
    if entry.get("file"):
        place: Path = beside(draft, where, entry["file"])
        if not place.is_file():
            raise wrong(where, f"{entry['file']}, the {kind} {name}, does not exist", "write it first")
        return source(draft, place)
    if kind == "config" and isinstance(entry.get("content"), str):
        return str(entry["content"]).encode()
    variable = str(entry.get("environment") or "")
    if kind == "config" and variable in draft.around.variables:
        return draft.around.variables[variable].encode()
    if variable:
        why = f"the {kind} {name} stands in the environment, and would have to be written to a file"
        raise wrong(where, why, f"write it to a file that git ignores, and 'file:' into the {kind}")
    raise wrong(where, f"the {kind} {name} comes from an engine", f"give it as a 'file:' of the {kind}")


def _grants(kind: str) -> Rule:
    def grant(draft: Draft, path: str, value: Value) -> None:
        found: dict[str, Value] = {"mode": "0444"}
        rules: dict[str, Rule] = {
            "source": into(found, "source", values.text),
            "target": into(found, "target", values.text),
            "uid": into(found, "uid", _number),
            "gid": into(found, "gid", _number),
            "mode": into(found, "mode", values.mode),
        }
        if isinstance(value, str):
            found["source"] = value
        else:
            follow(draft, path, value, rules)
        name = found.pop("source", "")
        content = _content(draft, path, kind, name)
        target = found.pop("target", name)
        if not target.startswith("/"):
            target = f"/run/secrets/{target}" if kind == "secret" else f"/{target}"
        place = _target(path, target)
        if isinstance(content, bytes):
            kept = f"{draft.around.file.stem}/{draft.name}/{re.sub('[^A-Za-z0-9._-]', '-', name)}"
            draft.files[kept] = content
            content = kept
        draft.add("files", {"source": content, "destination": place, **found})
        if kind == "secret":
            draft.tightened.append(f"the secret {name} is a file of the layer: who has the image can read it")

    return lambda draft, path, value: attempt_each(draft, path, value, grant)


def empty_places(draft: Draft) -> None:
    """Give a service the places that programs write to without asking, but where that would hide a file of its own."""
    taken = {str(each.get("destination")) for each in draft.layer.get("volumes", [])}
    taken |= {each if isinstance(each, str) else each["destination"] for each in draft.layer.get("tmpfs", [])}
    files = [str(each["destination"]) for each in draft.layer.get("files", [])]
    for place in ("/run", "/tmp", "/var/tmp"):
        inside = [file for file in files if file.startswith(place + "/")]
        if inside and place not in taken:
            draft.tightened.append(f"{place} is not writable: {inside[0]} lies there; name a tmpfs beside it")
        elif place not in taken:
            draft.add("tmpfs", place)


def finish(draft: Draft) -> None:
    """Refuse mounts that hide a file of the service, and say what an empty volume hides."""
    for key in ("volumes", "tmpfs"):
        kept = []
        for mount in draft.layer.pop(key, []):
            place = mount if isinstance(mount, str) else str(mount["destination"])
            hidden = [
                str(file["destination"])
                for file in draft.layer.get("files", [])
                if (str(file["destination"]) + "/").startswith(place + "/")
            ]
            if hidden:
                draft.refuse(
                    f"{draft.service}.{key}",
                    f"{hidden[0]} lies in {place}, which is empty at first and hides it",
                    f"put the file elsewhere, or mount only what is needed of {place}",
                )
            else:
                kept.append(mount)
        if kept:
            draft.layer[key] = kept
    if draft.facts.get("hides"):
        draft.tightened.append("a volume is empty at first: what the image has at its place is not copied into it")


RULES: dict[str, Rule] = {
    "volumes": _volumes,
    "volumes_from": Refused("a volume belongs to one container", "let one serve it to the other"),
    "tmpfs": _tmpfs,
    "secrets": _grants("secret"),
    "configs": _grants("config"),
}
