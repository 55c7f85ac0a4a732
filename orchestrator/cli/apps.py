# SPDX-License-Identifier: MIT
"""What each action of `pycontainer app` does with its words."""

from __future__ import annotations

import json
import os
import shlex
from argparse import Namespace
from typing import Any

import msgspec

from orchestrator.apps import change
from orchestrator.apps.inspect import inspect, runtime_config
from orchestrator.apps.show import values
from orchestrator.build.imagelock import image_lock, update_images
from orchestrator.cli import app_screens, screens
from orchestrator.cli.commands import Result, loaded, reporter
from orchestrator.cli.result import one_machine
from orchestrator.compose import Request
from orchestrator.errors import ConfigError
from orchestrator.product.load import find_product_file, load_product
from orchestrator.product.yamltext import entry


def add(options: Namespace) -> Result:
    """`pycontainer app add`."""
    file = find_product_file(options.product)
    settings = _settings(options)
    layer = change.add(file, options.name, options.reference, settings, options.kind, options.platform, options.signer)
    text = f"{screens.near(str(file))}: added\n\n{entry(options.name, layer, 2, block=True)}"
    return Result(f"{text}\nnext  {screens.program()} app show {options.name}", {"layer": options.name, "value": layer})


def _settings(options: Namespace) -> dict[str, Any]:
    plain = {
        "version": options.version,
        "command": None if options.words is None else _split(options.words),
        "environment": dict(_pair(word, "=", "--env NAME=VALUE") for word in options.env),
        "user": options.user,
        "volumes": [
            {"name": name, "destination": place}
            for name, place in (_pair(word, ":", "--volume NAME:PATH") for word in options.volume)
        ],
        "files": [
            {"source": source, "destination": place}
            for source, place in (_pair(word, ":", "--file SOURCE:PATH") for word in options.file)
        ],
        "tmpfs": options.tmpfs,
        "memory": options.memory,
        "cpus": options.cpus,
        "network": options.network,
        "ports": options.port,
        "after": [_after(word) for word in options.after],
        "restart": {"policy": options.restart} if options.restart else None,
    }
    return {key: value for key, value in plain.items() if value not in (None, [], {})}


def _after(word: str) -> Any:
    layer, colon, condition = word.partition(":")
    return {"layer": layer, "condition": condition} if colon else layer


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise ConfigError(f"--command {text!r} is no command", str(problem), "close the quotes") from problem


def _pair(word: str, separator: str, form: str) -> tuple[str, str]:
    first, found, second = word.partition(separator)
    if not found or not first:
        raise ConfigError(f"{word!r} has the wrong form", "", f"write {form}")
    return first, second


def rm(options: Namespace) -> Result:
    """`pycontainer app rm`."""
    file = find_product_file(options.product)
    product = change.remove(file, options.name)
    text = f"{screens.near(str(file))}: {options.name} removed; its volumes stay on devices that have them"
    return Result(text, {"removed": options.name, "layers": list(product.layers)})


def ls(options: Namespace) -> Result:
    """`pycontainer app ls`."""
    found = change.listed(load_product(find_product_file(options.product)))
    return Result(app_screens.list_screen(found), {"layers": [msgspec.to_builtins(each) for each in found]})


def update(options: Namespace) -> Result:
    """`pycontainer app update`."""
    product, place = loaded(options)
    for name in options.names:
        if name not in product.layers:
            raise ConfigError(
                f"the product has no layer {name}", f"it has: {', '.join(product.layers)}", "name some of its layers"
            )
    with place.locked(), reporter(options.json) as report:
        changes = update_images(product, place, report, options.names or None)
    path = screens.near(str(image_lock(place)))
    rows = [(each.image, (each.before or "-")[:19], (each.after or "-")[:19]) for each in changes]
    data = {
        "lock": str(image_lock(place)),
        "changes": [{"image": each.image, "before": each.before, "after": each.after} for each in changes],
    }
    if not rows:
        return Result(f"{path}: every tag means what it meant", data)
    columns = [("image", "left"), ("before", "left"), ("after", "left")]
    foot = f"{path}: pins moved; the next build takes them"
    return Result(screens.render(screens.table(columns, rows), "", foot), data)


def show(options: Namespace) -> Result:
    """`pycontainer app show`."""
    product, place = one_machine(options)
    with reporter(options.json) as report, report.step(f"read {options.name}"):
        found = inspect(product, place, options.name, report)
    product = found.product
    if options.runtime_config:
        config = runtime_config(found)
        return Result(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False), config)
    layer = product.layers[options.name]
    rows = values(layer, found)
    data = {
        "layer": options.name,
        "kind": layer.kind,
        "source": change.shown_source(layer),
        "values": [{"key": row.key, "text": row.text, "from": row.origin, "value": row.data} for row in rows],
        "notes": list(found.notes),
    }
    return Result(app_screens.show_screen(options.name, layer, rows, found.notes), data)


def bring_in(options: Namespace) -> Result:
    """`pycontainer app import`."""
    file = find_product_file(options.product)
    request = Request(
        file=options.file,
        root=file.parent,
        services=options.service,
        profiles=options.profile,
        environment=dict(os.environ),
        env_files=options.env_file,
        drop=options.drop,
        images=change.by_service(options.image, file.parent),
        registry=options.registry,
        keep_defaults=options.keep_defaults,
    )
    result = change.bring_in(file, request, replace=options.replace, dry=options.dry_run)
    written = not result.refused and not options.dry_run
    data = {
        "written": written,
        "services": [
            {
                "service": each.service,
                "layer": each.name,
                "value": each.layer,
                "keys": [msgspec.to_builtins(item) for item in each.entries],
                "tightened": list(each.tightened),
            }
            for each in result.services
        ],
        "keys": [msgspec.to_builtins(item) for item in result.entries],
        "files": sorted(result.files),
        "passed": list(result.passed),
        "unset": dict(result.unset),
    }
    text = app_screens.import_screen(result, screens.near(str(file)), written=written)
    return Result(text, data, ConfigError.exit_code if result.refused else 0)
