# SPDX-License-Identifier: MIT
"""Keys of a service that say how it is reached and whom it reaches. Compose Specification, 05-services.md and
06-networks.md."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from orchestrator.compose import values
from orchestrator.compose.draft import Draft, Needless, Refused, Rule, Value, attempt_each, follow, into, wrong

_PORT = re.compile(
    r"(?:(?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+|[0-9a-fA-F:]*::[0-9a-fA-F:]*):(?=.*:))?"
    r"(?:(?P<host>\d{1,5}(?:-\d{1,5})?)?:)?(?P<container>\d{1,5}(?:-\d{1,5})?)(?:/(?P<protocol>[a-z]+))?"
)
_PORTS_MOST = 64
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_GATEWAY = "10.88.0.1"
"""The device on the bridge of its containers."""


def _range(path: str, text: str) -> range:
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise wrong(path, f"{text} are no ports from 1 to 65535")
    if high - low >= _PORTS_MOST:
        raise wrong(path, f"{text} are more than {_PORTS_MOST} ports", "publish those that are used")
    return range(low, high + 1)


def _publish(draft: Draft, path: str, host: str, container: str, protocol: str, address: str) -> None:
    if protocol not in ("tcp", "udp"):
        raise wrong(path, f"the protocol {protocol} is not published", "publish tcp or udp")
    if address and not ipaddress.ip_address(address.strip("[]")).is_unspecified:
        why = f"a port is published on every address of the device, not on {address} alone"
        raise wrong(path, why, "leave the address out")
    if not host:
        raise wrong(path, "the device's port is left to chance", f"name it, such as {container}:{container}")
    outside, inside = _range(path, host), _range(path, container)
    if len(outside) != len(inside):
        raise wrong(path, f"{host} and {container} are not equally many ports", "name a port for each")
    for there, here in zip(outside, inside, strict=True):
        draft.add("ports", f"{there}:{here}" + ("/udp" if protocol == "udp" else ""))


def _ports(draft: Draft, path: str, value: Value) -> None:
    if draft.facts["service"].get("network_mode") in ("host", "none"):
        raise wrong(path, "without a network of its own a service publishes nothing", "remove it, or network_mode")
    attempt_each(draft, path, value, _port)


def _port(draft: Draft, path: str, value: Value) -> None:
    if isinstance(value, Mapping):
        _long_port(draft, path, value)
        return
    match = _PORT.fullmatch(values.text(path, value))
    if match is None:
        raise wrong(path, f"{value!r} is no port", "write for example 8080:80")
    parts = {name: text or "" for name, text in match.groupdict().items()}
    try:
        _publish(draft, path, parts["host"], parts["container"], parts["protocol"] or "tcp", parts["address"])
    except ValueError:
        raise wrong(path, f"{parts['address']} is no address") from None


def _long_port(draft: Draft, where: str, item: Value) -> None:
    port: dict[str, str] = {}
    rules: dict[str, Rule] = {
        "target": into(port, "target", values.text),
        "published": into(port, "published", values.text),
        "protocol": into(port, "protocol", values.text),
        "host_ip": into(port, "host_ip", values.text),
        "mode": Needless("there is one device"),
        "name": Needless("it is for people"),
        "app_protocol": Needless("it is a hint for others"),
    }
    follow(draft, where, item, rules)
    for key in ("target", "published"):
        if not re.fullmatch(r"\d{1,5}(-\d{1,5})?", port.get(key, "1")):
            raise wrong(f"{where}.{key}", f"{port[key]!r} is no port")
    if "target" not in port:
        raise wrong(where, "the container's port, 'target', is missing")
    try:
        _publish(
            draft,
            where,
            port.get("published", ""),
            port["target"],
            port.get("protocol", "tcp"),
            port.get("host_ip", ""),
        )
    except ValueError:
        raise wrong(f"{where}.host_ip", f"{port['host_ip']} is no address") from None


def _mode(draft: Draft, path: str, value: Value) -> None:
    mode = values.text(path, value)
    if mode == "host":
        draft.relax("network_mode", network="host")
    elif mode == "none":
        draft.facts["network"] = "none"
    elif mode != "bridge":
        hint = "use the bridge, on which containers find each other by name"
        draft.refuse(path, "a container shares its network with the device or with nobody", hint)


NETWORK: dict[str, Rule] = {
    "aliases": lambda draft, path, value: (
        None
        if set(values.words(path, value)) <= {draft.service, draft.name}
        else draft.refuse(path, "a container is found by its layer's name only", f"let the others call {draft.name}")
    ),
    "priority": Needless("there is one network"),
    "gw_priority": Needless("there is one network"),
    "interface_name": lambda draft, path, value: (
        draft.tell(path, "needless", "that is so")
        if value == "eth0"
        else draft.refuse(path, "a container's interface is eth0", "remove it")
    ),
    "ipv4_address": Refused("addresses are given by the device", "use the service's name"),
    "ipv6_address": Refused("the bridge has no IPv6", "use the service's name"),
    "link_local_ips": Refused("addresses are given by the device", "use the service's name"),
    "mac_address": Refused("the device gives each container its own", "remove it"),
    "driver_opts": Refused("the device's bridge has no options", "remove it"),
}


def names_of(service: Mapping[str, Value]) -> list[str]:
    """Return the networks that a service is on."""
    given = service.get("networks")
    found = [name for name in given if isinstance(name, str)] if isinstance(given, list | Mapping) else []
    return found or ["default"]


def _networks(draft: Draft, path: str, value: Value) -> None:
    names = list(value) if isinstance(value, Mapping) else values.words(path, value)
    used = draft.facts.get("networks_used", names)
    if len(used) > 1:
        hint = f"leave it out, which puts all services on the one bridge: --drop {path.rpartition('.')[2]}"
        why = f"the device has one bridge, and {', '.join(sorted(used))} would not be kept apart"
        draft.refuse(path, why, hint)
    for name, options in value.items() if isinstance(value, Mapping) else ():
        if options is not None:
            follow(draft, f"{path}.{name}", options, NETWORK)


def _extra_hosts(draft: Draft, path: str, value: Value) -> None:
    found: list[tuple[str, str]] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            found += [(name, address) for address in values.word_or_words(f"{path}.{name}", item)]
    else:
        for item in values.words(path, value):
            name, _, address = item.partition("=" if "=" in item else ":")
            found.append((name, address))
    lines = []
    for name, address in found:
        if not _HOST.fullmatch(name):
            raise wrong(path, f"{name!r} is no host name")
        address = address.strip("[]")
        if address == "host-gateway":
            address = _GATEWAY
        try:
            lines.append(f"{ipaddress.ip_address(address)}\t{name}\n")
        except ValueError:
            raise wrong(path, f"{address!r} is no address") from None
    draft.facts["hosts"] = "".join(lines)


def _dns(key: str) -> Rule:
    def rule(draft: Draft, path: str, value: Value) -> None:
        found = values.word_or_words(path, value)
        if any(re.search(r"\s", word) or not word for word in found):
            raise wrong(path, "it has blanks in it")
        if key == "nameserver":
            for word in found:
                try:
                    ipaddress.ip_address(word)
                except ValueError:
                    raise wrong(path, f"{word!r} is no address") from None
        elif not draft.facts["service"].get("dns"):
            raise wrong(path, "it goes with 'dns': a container has no name server by itself", "write 'dns' too")
        draft.facts.setdefault("resolver", {})[key] = found

    return rule


def finish(draft: Draft) -> None:
    """Put a service that says nothing on the bridge, write its files of names, and say which names it lacks."""
    host = any(each.get("network") == "host" for each in draft.layer.get("relax", []))
    if not host and draft.facts.get("network") != "none" and "ports" not in draft.layer:
        draft.layer["network"] = "bridge"
    if draft.facts.get("network") != "none" and "resolver" not in draft.facts:
        draft.tightened.append(
            "no name server, where an engine hands on its own: names of the world outside are found only with 'dns', "
            "or if the image names one"
        )
    resolver: dict[str, list[str]] = draft.facts.get("resolver", {})
    lines = [f"nameserver {word}\n" for word in resolver.get("nameserver", [])]
    lines += [f"{key} {' '.join(resolver[key])}\n" for key in ("search", "options") if key in resolver]
    for name, text in (("hosts", draft.facts.get("hosts", "")), ("resolv.conf", "".join(lines))):
        if text:
            head = "127.0.0.1\tlocalhost\n" if name == "hosts" else ""
            place = f"{draft.around.file.stem}/{draft.name}/{name}"
            draft.files[place] = (head + text).encode()
            draft.add("files", {"source": place, "destination": f"/etc/{name}"})


RULES: dict[str, Rule] = {
    "ports": _ports,
    "expose": Needless("containers on the bridge reach every port of each other"),
    "network_mode": _mode,
    "networks": _networks,
    "extra_hosts": _extra_hosts,
    "dns": _dns("nameserver"),
    "dns_search": _dns("search"),
    "dns_opt": _dns("options"),
    "external_links": Refused("only services of this product are found by name", "write its address into extra_hosts"),
    "mac_address": Refused("the device gives each container its own", "remove it"),
}
