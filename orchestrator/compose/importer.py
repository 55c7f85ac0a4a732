# SPDX-License-Identifier: MIT
"""From a compose file to layers of the product file, and an account of every key. Compose Specification."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.compose import limits, network, process, storage, supervise, values
from orchestrator.compose.draft import Draft, Entry, Needless, Refused, Rule, Surroundings, Value, follow
from orchestrator.compose.names import layer_names
from orchestrator.compose.variables import interpolate, read_env_file
from orchestrator.compose.yamlread import overrides, read_compose
from orchestrator.errors import ConfigError

# fmt: off
_ORDER = (
    "kind", "from", "version", "files", "entrypoint", "command", "environment", "user", "groups", "workingDirectory",
    "hostname", "volumes", "tmpfs", "shmSize", "memory", "cpus", "pids", "ulimits", "sysctls", "labels", "network",
    "ports", "health", "restart", "after", "stopSignal", "stopTimeout", "logs", "relax",
)
# fmt: on

SERVICE: dict[str, Rule] = {
    **process.RULES,
    **storage.RULES,
    **network.RULES,
    **limits.RULES,
    **supervise.RULES,
    "deploy": lambda draft, path, value: follow(draft, path, value, limits.DEPLOY | supervise.DEPLOY),
}
"""What becomes of each key of a service."""

_ONE_BRIDGE = "the device has one bridge, which is as it is"
_FOR_PEOPLE = Needless("it is for people")
NETWORK: dict[str, Rule] = {
    "driver": lambda draft, path, value: (
        None if value in (None, "default", "bridge") else draft.refuse(path, _ONE_BRIDGE, "remove it")
    ),
    "driver_opts": Refused(_ONE_BRIDGE, "remove it"),
    "ipam": Refused(_ONE_BRIDGE, "let services find each other by name"),
    "external": process.unless_on("no network of another product is on the device", "remove it"),
    "internal": process.unless_on("what is on the bridge reaches the world", "use network_mode: none"),
    "enable_ipv4": Needless("that is so"),
    "enable_ipv6": process.unless_on("the bridge has no IPv6", "remove it"),
    "attachable": Needless("every container of the product is on the bridge"),
    "labels": _FOR_PEOPLE,
    "name": _FOR_PEOPLE,
}
VOLUME: dict[str, Rule] = {
    "driver": lambda draft, path, value: (
        None if value in (None, "local") else draft.refuse(path, "a volume lies on the device's storage", "remove it")
    ),
    "driver_opts": Refused("a volume lies on the device's storage", "remove it"),
    "external": process.unless_on("no volume of another product is on the device", "remove it"),
    "labels": _FOR_PEOPLE,
    "name": _FOR_PEOPLE,
}
_GRANT: dict[str, Rule] = {
    "file": lambda draft, path, value: None,
    "environment": lambda draft, path, value: None,
    "external": process.unless_on("nothing is kept outside of the product", "give it as a 'file:'"),
    "template_driver": Refused("no template is filled in", "write the file as it is to be"),
    "labels": _FOR_PEOPLE,
    "name": _FOR_PEOPLE,
}
TOP: dict[str, dict[str, Rule]] = {
    "networks": NETWORK,
    "volumes": VOLUME,
    "configs": _GRANT | {"content": lambda draft, path, value: None},
    "secrets": _GRANT | {"driver": Refused("no store of secrets is asked", "give it as a 'file:'"),
                         "driver_opts": Refused("no store of secrets is asked", "give it as a 'file:'")},
}  # fmt: skip
FILE: dict[str, Rule] = {
    "version": Needless("the specification ignores it"),
    "name": Needless("the product has a name of its own"),
    "include": Refused("one file is imported", "let 'docker compose config' write the whole file out"),
    "models": Refused("a device runs containers, no language models beside them", "bring the model as a container"),
}


@dataclass(frozen=True)
class Request:
    """What to import.

    `file` the compose file, `root` the product's folder; `services` those wanted (none: all of the chosen profiles);
    `environment` the variables of the caller, before which those of `env_files` (none: `.env` beside the file) stand
    back; `drop` keys that may be left out though they are refused, such as web.init, init, or all; `images`
    what a service is made of instead, as the `from` of a layer.
    """

    file: Path
    root: Path
    services: Sequence[str] = ()
    profiles: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    env_files: Sequence[Path] = ()
    drop: Sequence[str] = ()
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    registry: str = ""
    keep_defaults: bool = False


@dataclass(frozen=True)
class Service:
    """One service as a layer: its words for the product file, and what happened to its keys."""

    service: str
    name: str
    layer: dict[str, Any]
    entries: tuple[Entry, ...]
    tightened: tuple[str, ...]


@dataclass(frozen=True)
class Import:
    """What an import comes to: services, what became of the file's own keys, files to write below the product's
    folder, services that were passed over, variables without a value (by the place that names them)."""

    services: tuple[Service, ...]
    entries: tuple[Entry, ...]
    files: Mapping[str, bytes]
    passed: tuple[str, ...]
    unset: Mapping[str, str]

    @property
    def all_entries(self) -> list[Entry]:
        """What happened to each key, the file's own first."""
        return [*self.entries, *(entry for service in self.services for entry in service.entries)]

    @property
    def refused(self) -> list[Entry]:
        """The keys that are refused and were not said to be left out."""
        return [entry for entry in self.all_entries if entry.status == "refused"]

    @property
    def layers(self) -> dict[str, dict[str, Any]]:
        """The layers by name, in the words of the product file."""
        return {service.name: service.layer for service in self.services}


def import_compose(request: Request) -> Import:
    """Return what a compose file comes to; nothing is written. Raises ConfigError for a file that is none."""
    root = request.root.resolve()
    file = request.file.resolve()
    variables = _variables(request)
    unset: dict[str, str] = {}
    written = read_compose(request.file)
    value = interpolate(written, variables, unset)
    services = value.get("services")
    if not isinstance(services, Mapping) or not all(isinstance(each, Mapping) for each in services.values()):
        raise ConfigError(
            f"{request.file} has no services", "a compose file has 'services' with keys", "name another file"
        )
    chosen = _chosen(request, services)
    around = Surroundings(
        file=file,
        root=root,
        variables=variables,
        top={key: value[key] or {} for key in TOP if isinstance(value.get(key) or {}, Mapping) and key in value},
        services=layer_names(chosen),
        known=frozenset(services),
        images=request.images,
        registry=request.registry,
        keep_defaults=request.keep_defaults,
    )
    networks = {name for service in chosen for name in network.names_of(services[service])}
    drafts: list[Draft] = []
    owners: dict[str, str] = {}
    for name in chosen:
        draft = _draft(name, services[name], around, owners, networks, written["services"][name])
        owners |= dict.fromkeys(draft.volumes, name)
        drafts.append(draft)
    dropped = [word.removeprefix("services.") for word in request.drop]
    return Import(
        services=tuple(
            Service(
                service=each.service,
                name=each.name,
                layer=_in_order(each.layer),
                entries=_left_out(each.entries, dropped),
                tightened=tuple(dict.fromkeys(each.tightened)),
            )
            for each in drafts
        ),
        entries=_left_out(_file_entries(value, around, chosen, services), dropped),
        files={path: data for each in drafts for path, data in each.files.items()},
        passed=tuple(name for name in services if name not in chosen),
        unset=unset,
    )


def _variables(request: Request) -> dict[str, str]:
    beside = request.file.parent / ".env"
    files = list(request.env_files) or ([beside] if beside.is_file() else [])
    found: dict[str, str] = {}
    for path in files:
        found |= read_env_file(path, {**found, **request.environment})
    return {**found, **request.environment}


def _chosen(request: Request, services: Mapping[str, Any]) -> list[str]:
    """The services to import, in the file's order: those named, else those of the chosen profiles."""
    for name in (*request.services, *request.images):
        if name not in services:
            raise ConfigError(
                f"{request.file} has no service {name}", f"it has: {', '.join(services)}", "name one of these"
            )
    if request.services:
        return [name for name in services if name in request.services]
    found = []
    for name, service in services.items():
        profiles = values.words(f"{name}.profiles", service.get("profiles") or [])
        if not profiles or "*" in request.profiles or set(profiles) & set(request.profiles):
            found.append(name)
    if not found:
        raise ConfigError(f"no service of {request.file} is chosen", "each has a profile", "name one: --profile NAME")
    return found


def _draft(
    name: str,
    service: Mapping[str, Value],
    around: Surroundings,
    owners: Mapping[str, str],
    networks: set[str],
    written: Mapping[str, Value],
) -> Draft:
    draft = Draft(name, around, {"kind": "app", "from": dict(around.images.get(name, {}))})
    draft.facts |= {
        "service": service,
        "image": service.get("image"),
        "written": values.literal(written.get("environment")),
        "volumes_of_others": owners,
        "networks_used": networks,
    }
    follow(draft, name, service, SERVICE)
    known = {f"{name}.{key}" for key in ("image", "build", "provider")}
    if not set(draft.layer["from"]) - {"platform"} and not known & {each.path for each in draft.entries}:
        draft.refuse(f"{name}.image", "the service has none", f"import with --image {name}=REFERENCE")
    for room in (process, network, limits, supervise, storage):
        room.finish(draft)
    return draft


def _file_entries(
    value: Mapping[str, Value], around: Surroundings, chosen: Sequence[str], services: Mapping[str, Any]
) -> list[Entry]:
    """What becomes of the file's keys beside its services; of what no chosen service uses, nothing."""
    scribe = Draft("", replace(around, services={"": ""}))
    follow_top = {key: item for key, item in value.items() if key != "services" and key not in TOP}
    for key, item in follow_top.items():
        follow(scribe, "", {key: item}, FILE)
    for key, rules in TOP.items():
        named = value.get(key) or {}
        if not isinstance(named, Mapping):
            scribe.refuse(f".{key}", "names with keys are expected")
            continue
        for name, item in named.items():
            if not any(_uses(services[service], key, name) for service in chosen):
                scribe.tell(f".{key}.{name}", "needless", "no imported service uses it")
            elif item:
                follow(scribe, f".{key}.{name}", item, rules)
            else:
                scribe.tell(f".{key}.{name}", "honoured")
    for name in overrides(around.file):
        hint = "let 'docker compose config' write both out as one if it is for the device too"
        scribe.tell(f".{name}", "left out", "one file is imported, and this one lies beside it", hint)
    return [replace(entry, path=entry.path.lstrip(".")) for entry in scribe.entries]


def _uses(service: Mapping[str, Value], key: str, name: str) -> bool:
    if key == "networks" and name == "default" and not service.get("networks"):
        return True
    items = service.get(key) or []
    for item in items:
        word = item.get("source") if isinstance(item, Mapping) else item
        if isinstance(word, str) and (word == name or word.split(":")[0] == name):
            return True
    return False


def _left_out(entries: Sequence[Entry], dropped: Sequence[str]) -> tuple[Entry, ...]:
    def is_dropped(path: str) -> bool:
        _, _, inner = path.partition(".")
        return any(
            word == "all" or any(re.match(re.escape(word) + r"(?![A-Za-z0-9_-])", start) for start in (path, inner))
            for word in dropped
        )

    return tuple(
        replace(entry, status="left out") if entry.status == "refused" and is_dropped(entry.path) else entry
        for entry in entries
    )


def _in_order(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: layer[key] for key in sorted(layer, key=lambda key: (_ORDER.index(key) if key in _ORDER else 99, key))}
