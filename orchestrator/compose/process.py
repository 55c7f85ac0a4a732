# SPDX-License-Identifier: MIT
"""Keys of a service that say what runs and as whom. Compose Specification, 05-services.md."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator.compose import values
from orchestrator.compose.draft import (
    Draft,
    Handler,
    Needless,
    Refused,
    Rule,
    Value,
    attempt_each,
    follow,
    into,
    into_layer,
    wrong,
)
from orchestrator.compose.variables import read_env_file
from orchestrator.errors import ConfigError
from orchestrator.product.fields import FieldError
from orchestrator.product.process import check_labels

_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")


def beside(draft: Draft, path: str, name: str) -> Path:
    """Return the place of a file that the compose file names; raises WrongValue outside of the product's folder."""
    place = Path(os.path.normpath(draft.around.file.parent / name))
    if not place.is_relative_to(draft.around.root):
        raise wrong(
            path, f"{name} is outside of the product's folder", "copy it beside pycontainer.yaml, and name it there"
        )
    return place


def source(draft: Draft, place: Path) -> str:
    """Return a place as the product file names it: relative to it."""
    return str(place.relative_to(draft.around.root))


def _image(draft: Draft, path: str, value: Value) -> None:
    if draft.service in draft.around.images:
        draft.tell(path, "needless", "--image names another one")
        return
    reference = values.text(path, value)
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    known = re.match(r"(docker://|oci:|oci-archive:|docker-archive:)", reference)
    if not known and not named:
        if not draft.around.registry:
            raise wrong(
                path,
                f"{reference} names no registry, and there is no default one",
                f"write registry.example/{reference}, or import with --registry HOST, or with "
                f"--image {draft.service}=REFERENCE",
            )
        reference = f"{draft.around.registry.rstrip('/')}/{reference}"
    draft.layer["from"]["image"] = reference


def _build(draft: Draft, path: str, value: Value) -> None:
    if draft.around.images.get(draft.service):
        draft.tell(path, "needless", "the image was named by --image")
    elif draft.facts.get("image"):
        draft.tell(path, "needless", "the image has a name; build and push it before")
    else:
        hint = f"build it with your engine, save it, and import with --image {draft.service}=docker-archive:FILE"
        draft.refuse(path, "images are not built here", hint)


def _platform(draft: Draft, path: str, value: Value) -> None:
    draft.layer["from"]["platform"] = values.text(path, value)


def _command(key: str) -> Handler:
    def rule(draft: Draft, path: str, value: Value) -> None:
        if value is not None:
            draft.layer[key] = values.command(path, value)

    return rule


def _environment(draft: Draft, path: str, value: Value) -> None:
    for name, content in values.pairs(path, value).items():
        known = content if content is not None else draft.around.variables.get(name)
        if known is None:
            draft.tell(f"{path}.{name}", "needless", "it has no value, here or in the environment")
        else:
            draft.facts.setdefault("environment", {})[name] = known
    draft.tell(path, "honoured")


def _env_file(draft: Draft, path: str, value: Value) -> None:
    attempt_each(draft, path, value, _one_env_file)


def _one_env_file(draft: Draft, path: str, value: Value) -> None:
    file: dict[str, Value] = {}
    keys: dict[str, Rule] = {
        "path": into(file, "path", values.text),
        "required": into(file, "required", values.boolean),
        "format": into(file, "format", values.text),
    }
    if isinstance(value, str):
        file["path"] = value
    else:
        follow(draft, path, value, keys)
    if file.get("format", "raw") != "raw":
        raise wrong(f"{path}.format", f"the format {file['format']} is unknown", "leave it out, or write raw")
    place = draft.around.file.parent / file.get("path", "")
    if not file.get("required", True) and not place.exists():
        return
    try:
        found = read_env_file(place, draft.around.variables, raw="format" in file)
    except ConfigError as problem:
        raise wrong(path, f"{problem.what}: {problem.why}", problem.hint) from problem
    draft.facts.setdefault("env_file", {}).update(found)


def _hostname(draft: Draft, path: str, value: Value) -> None:
    name = values.text(path, value)
    if not _HOST_NAME.fullmatch(name):
        raise wrong(path, f"{name!r} is no host name of 63 letters, digits, '.' and '-'")
    draft.layer["hostname"] = name


def _container_name(draft: Draft, path: str, value: Value) -> None:
    if value != draft.name:
        draft.refuse(path, f"a container is named after its layer, {draft.name}", f"rename the service to {value}")


def _labels(draft: Draft, path: str, value: Value) -> None:
    found = {name: content or "" for name, content in values.pairs(path, value).items()}
    try:
        check_labels(found)
    except FieldError as problem:
        raise wrong(path, str(problem), problem.hint) from problem
    draft.layer["labels"] = draft.layer.get("labels", {}) | found


def _label_file(draft: Draft, path: str, value: Value) -> None:
    for name in values.word_or_words(path, value):
        try:
            found = read_env_file(draft.around.file.parent / name, draft.around.variables)
        except ConfigError as problem:
            raise wrong(path, f"{problem.what}: {problem.why}", problem.hint) from problem
        draft.layer["labels"] = found | draft.layer.get("labels", {})


def unless_on(why: str, hint: str = "") -> Handler:
    """The rule of a switch that is honoured when it is off."""

    def rule(draft: Draft, path: str, value: Value) -> None:
        if values.boolean(path, value):
            draft.refuse(path, why, hint)
        else:
            draft.tell(path, "needless", "that is so")

    return rule


def finish(draft: Draft) -> None:
    """Put the environment together: files first, then what the service says itself."""
    environment = draft.facts.get("env_file", {}) | draft.facts.get("environment", {})
    if not environment:
        return
    draft.layer["environment"] = environment
    written = draft.facts["written"]
    if taken := sorted(name for name, text in environment.items() if written.get(name) != text):
        shown = ", ".join(taken[:4]) + (f" and {len(taken) - 4} more" if len(taken) > 4 else "")
        draft.tightened.append(
            f"{shown}: what the variables hold now, a password too, is written into the product file and the layer"
        )


_ENGINE = "it belongs to another way of running containers"
RULES: dict[str, Rule] = {
    "image": _image,
    "build": _build,
    "platform": _platform,
    "command": _command("command"),
    "entrypoint": _command("entrypoint"),
    "environment": _environment,
    "env_file": _env_file,
    "working_dir": into_layer("workingDirectory", values.text),
    "user": into_layer("user", values.text),
    "group_add": into_layer("groups", values.words),
    "hostname": _hostname,
    "domainname": Refused("a container has a host name only", "write it into 'hostname'"),
    "container_name": _container_name,
    "labels": _labels,
    "annotations": _labels,
    "label_file": _label_file,
    "init": unless_on(
        "no program is put into a container: the image's own is process 1", "let the image bring tini or dumb-init"
    ),
    "tty": unless_on("a container on a device has no terminal", "give the program a log or a socket to speak to"),
    "stdin_open": unless_on("a container on a device has no terminal", "give the program a socket to listen on"),
    "attach": Needless("the device keeps the output of every container; see 'pycontainer device logs'"),
    "develop": Needless("it is for the machine of a developer"),
    "profiles": Needless("the service was chosen"),
    "pull_policy": Needless("an image is fetched when its digest is not there, and pinned in the lock file"),
    "pull_refresh_after": Needless("an image is pinned in the lock file until 'pycontainer app update'"),
    "isolation": lambda draft, path, value: (
        None if value == "default" else draft.refuse(path, "it belongs to another operating system", "remove it")
    ),
    "credential_spec": Refused("it belongs to another operating system", "remove it"),
    "extends": Refused(
        "a service is imported as it stands in one file", "let 'docker compose config' write the whole file out"
    ),
    "provider": Refused(_ENGINE, "give the service an image"),
    "models": Refused("a device runs containers, no language models beside them", "bring the model as a container"),
    "use_api_socket": Refused("there is no engine on the device whose socket could be given", "see 'control'"),
    "post_start": Refused("hooks are not run", "let the program do it, or a service that others wait for"),
    "pre_start": Refused("hooks are not run", "make it a service with depends_on: service_completed_successfully"),
    "pre_stop": Refused("hooks are not run", "let the program do it at its stop_signal"),
    "runtime": lambda draft, path, value: (
        draft.tell(path, "needless", "the device's runtime is one of the same kind")
        if value in ("runc", "crun", "io.containerd.runc.v2")
        else draft.refuse(path, f"the runtime {value} is not there", "remove it")
    ),
}
