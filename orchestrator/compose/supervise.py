# SPDX-License-Identifier: MIT
"""Keys of a service that say when it starts, restarts and ends, and how it is watched. Compose Specification,
05-services.md and deploy.md."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.compose import values
from orchestrator.compose.draft import Draft, Needless, Rule, Value, attempt, follow, into, into_layer, wrong
from orchestrator.product.units import parse_size

_CONDITIONS = {
    "service_started": "up",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


def _depends_on(draft: Draft, path: str, value: Value) -> None:
    entries = value if isinstance(value, Mapping) else dict.fromkeys(values.words(path, value))
    for name, entry in entries.items():
        attempt(draft, f"{path}.{name}", _dependency, entry or {})


def _dependency(draft: Draft, path: str, entry: Value) -> None:
    found: dict[str, Value] = {"condition": "service_started", "required": True}
    rules: dict[str, Rule] = {
        "condition": into(found, "condition", values.text),
        "required": into(found, "required", values.boolean),
        "restart": _restarted_with,
    }
    follow(draft, path, entry, rules)
    condition = _CONDITIONS.get(found["condition"])
    if condition is None:
        raise wrong(f"{path}.condition", f"the condition {found['condition']} is unknown")
    name = path.removeprefix(f"{draft.service}.depends_on.")
    _wait(draft, path, name, condition, needed=found["required"])


def _restarted_with(draft: Draft, path: str, value: Value) -> None:
    if values.boolean(path, value):
        hint = "remove it: an update restarts what it changes"
        draft.refuse(path, "a service is not restarted because another one was", hint)


def _wait(draft: Draft, path: str, name: str, condition: str, needed: bool) -> None:
    layer = draft.around.services.get(name)
    if layer is None and name not in draft.around.known:
        raise wrong(path, f"there is no service {name}", "name one of the file")
    if layer is None:
        if needed:
            raise wrong(path, f"the service {name} is not imported", f"import it too: --service {name}")
        draft.tell(path, "needless", f"{name} is not imported")
        return
    after = draft.layer.setdefault("after", [])
    before = next((each for each in after if layer in (each, each["layer"] if isinstance(each, dict) else each)), None)
    # Of two conditions the one that asks for more.
    order = list(_CONDITIONS.values())
    if before is not None:
        known = before["condition"] if isinstance(before, dict) else "up"
        condition = max(known, condition, key=order.index)
        after.remove(before)
    after.append(layer if condition == "up" else {"layer": layer, "condition": condition})


def _links(draft: Draft, path: str, value: Value) -> None:
    for word in values.words(path, value):
        name, _, alias = word.partition(":")
        if alias and alias != name:
            raise wrong(path, f"{name} is found by its own name only, not as {alias}", f"let the program call {name}")
        _wait(draft, path, name, "up", needed=True)


def _healthcheck(draft: Draft, path: str, value: Value) -> None:
    if not isinstance(value, Mapping):
        raise wrong(path, "keys with values are expected")
    health: dict[str, Value] = {}
    off = str(value.get("disable", "")).lower() == "true"

    def test(_: Draft, at: str, given: Value) -> None:
        nonlocal off
        if isinstance(given, str):
            health["command"] = ["/bin/sh", "-c", given]
            return
        words = values.words(at, given)
        if words == ["NONE"]:
            off = True
        elif words[:1] == ["CMD"] and len(words) > 1:
            health["command"] = words[1:]
        elif words[:1] == ["CMD-SHELL"] and len(words) == 2:
            health["command"] = ["/bin/sh", "-c", words[1]]
        else:
            raise wrong(at, "it begins with NONE, CMD or CMD-SHELL")

    def time(key: str, default: str) -> Rule:
        def rule(_: Draft, at: str, given: Value) -> None:
            found = values.duration(at, given)
            health[key] = default if found == "0s" else found

        return rule

    rules: dict[str, Rule] = {
        "test": test,
        "disable": into({}, "disable", values.boolean),
        "interval": time("interval", "30s"),
        "timeout": time("timeout", "30s"),
        "start_period": time("startPeriod", "0s"),
        "retries": into(health, "retries", lambda at, given: values.number(at, given, 0, 1_000_000) or 3),
        "start_interval": Needless("during the start period the device asks after 0.25 s, then up to every 5 s"),
    }
    follow(draft, path, value, rules)
    if off:
        draft.layer["health"] = "none"
    elif "command" in health:
        draft.layer["health"] = health
    elif health:
        raise wrong(path, "it changes the times of the image's check", "write its 'test' too")


def _restart(draft: Draft, path: str, value: Value) -> None:
    policy, _, most = values.text(path, value).partition(":")
    if policy in ("no", "false"):
        draft.layer["restart"] = {"policy": "no"}
    elif policy == "on-failure":
        draft.layer["restart"] = {"policy": "on-failure"}
        if most:
            draft.layer["restart"]["maxRetries"] = values.number(path, most, 0, 1_000_000)
    elif policy in ("always", "unless-stopped"):
        draft.layer["restart"] = {"policy": "always"}
        if policy == "unless-stopped":
            draft.tell(path, "honoured", "stopped by hand, it is started again with the device")
    else:
        raise wrong(path, f"the policy {value} is unknown", "write no, always, on-failure or unless-stopped")


def _restart_policy(draft: Draft, path: str, value: Value) -> None:
    restart: dict[str, Value] = {"policy": "always"}
    conditions = {"none": "no", "on-failure": "on-failure", "any": "always"}

    def condition(_: Draft, at: str, given: Value) -> None:
        if given not in conditions:
            raise wrong(at, f"the condition {given} is unknown", "write none, on-failure or any")
        restart["policy"] = conditions[given]

    def delay(_: Draft, at: str, given: Value) -> None:
        restart["initialDelay"] = restart["maxDelay"] = values.duration(at, given)

    rules: dict[str, Rule] = {
        "condition": condition,
        "delay": delay,
        "max_attempts": into(restart, "maxRetries", lambda at, given: values.number(at, given, 0, 1_000_000)),
        "window": into(restart, "resetAfter", values.duration),
    }
    follow(draft, path, value, rules)
    draft.layer["restart"] = restart


def _logging(draft: Draft, path: str, value: Value) -> None:
    logs: dict[str, Value] = {}

    def driver(inner: Draft, at: str, given: Value) -> None:
        if given not in ("json-file", "local"):
            inner.refuse(at, f"there is no log driver {given}: the device keeps files", "read them by 'device logs'")

    def most(_: Draft, at: str, given: Value) -> None:
        found = values.size(at, given)
        if parse_size(found) < 4096:
            raise wrong(at, f"{given} is less than 4096 bytes")
        logs["maxSize"] = found

    options: dict[str, Rule] = {
        "max-size": most,
        "max-file": into(logs, "files", lambda at, given: values.number(at, given, 1, 16)),
    }

    def option(inner: Draft, at: str, given: Value) -> None:
        known = {name: item for name, item in given.items() if name in options} if isinstance(given, Mapping) else given
        follow(inner, at, known, options)
        for name in sorted(set(given) - set(options)) if isinstance(given, Mapping) else ():
            inner.refuse(f"{at}.{name}", "the device's logs have a size and a number of files only", "remove it")

    follow(draft, path, value, {"driver": driver, "options": option})
    if logs:
        draft.layer["logs"] = logs


def finish(draft: Draft) -> None:
    """A service that says nothing of it is not restarted: that is Compose's default, and not ours."""
    if "restart" not in draft.layer:
        draft.layer["restart"] = {"policy": "no"}
        draft.tightened.append("it is not started again when it ends, as Compose has it without 'restart'")


RULES: dict[str, Rule] = {
    "depends_on": _depends_on,
    "links": _links,
    "healthcheck": _healthcheck,
    "restart": _restart,
    "logging": _logging,
    "stop_signal": into_layer("stopSignal", lambda path, value: values.text(path, value).upper()),
    "stop_grace_period": into_layer("stopTimeout", values.duration),
}
DEPLOY: dict[str, Rule] = {"restart_policy": _restart_policy}
