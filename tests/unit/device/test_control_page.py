# SPDX-License-Identifier: MIT
"""The page of the control protocol says what the device's table of verbs says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "meta-pycontainer/recipes-core/pycontainer-device/files/src"
PAGE = (ROOT / "docs/control.md").read_text()

PLACES = {"HERE": "process 1", "WORKER": "a worker", "STEADY": "a worker that goes on"}


class Verb(NamedTuple):
    name: str
    purpose: str
    arguments: tuple[str, ...]
    place: str


def table_of_the_device() -> list[Verb]:
    source = (SOURCES / "verbs.c").read_text()
    (macro,) = re.findall(r"#define CONTAINER (.+)", source)
    body = re.sub(r"\bCONTAINER(?=[,}])", macro, source[source.index("verbs[VERB_COUNT] = {") :])
    rows = re.findall(r'\[VERB_(\w+)\] = \{"(\w+)", PLACE_(\w+), "([^"]+)",(.*?)\}\},$', body, re.DOTALL | re.MULTILINE)
    verbs = []
    for constant, name, place, purpose, arguments in rows:
        assert constant.lower() == name
        entries = re.findall(r'\{"(\w+)", FORM_(\w+), USE_(\w+),', arguments)
        written = tuple(
            f"`{argument}` {form.lower()}{'' if use == 'NEEDED' else ', optional'}" for argument, form, use in entries
        )
        verbs.append(Verb(name, purpose, written, PLACES[place]))
    return verbs


def table_of_the_page() -> list[Verb]:
    section = PAGE[PAGE.index("## The verbs") : PAGE.index("### What they answer")]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*)\| ([^|]+) \|$", section, re.MULTILINE)
    return [
        Verb(name, purpose, tuple(part.strip() for part in arguments.split(";") if part.strip()), place)
        for name, purpose, arguments, place in rows
    ]


def test_the_table_is_read_whole():
    (constants,) = re.findall(r"enum verb \{(.+?)VERB_COUNT", (SOURCES / "verbs.h").read_text(), re.DOTALL)
    names = [name.lower() for name in re.findall(r"VERB_(\w+)", constants)]
    assert [verb.name for verb in table_of_the_device()] == names


def test_the_page_has_every_verb_as_the_device_has_it():
    assert table_of_the_page() == table_of_the_device()


def test_every_verb_that_answers_something_says_what():
    section = PAGE[PAGE.index("### What they answer") : PAGE.index("### Lines of the client")]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    silent = {"start", "stop", "restart", "try", "confirm", "rollback", "reboot", "poweroff"}
    assert [verb.name for verb in table_of_the_device() if verb.name not in silent] == told


def test_the_examples_are_requests():
    known = {verb.name: verb for verb in table_of_the_device()}
    requests = [json.loads(line) for line in re.findall(r'^    (\{"verb".+\})$', PAGE, re.MULTILINE)]
    assert len(requests) >= 2
    for request in requests:
        verb = known[request.pop("verb")]
        names = {re.sub(r"`(\w+)`.*", r"\1", argument): "optional" not in argument for argument in verb.arguments}
        assert set(request) <= set(names)
        assert {name for name, needed in names.items() if needed} <= set(request)


def test_the_limits_are_the_devices():
    header = (SOURCES / "control.h").read_text()
    limits = dict(re.findall(r"#define (CONTAINERS?_MOST|CONNECTIONS_MOST) (\d+)", header))
    assert (
        f"At most {limits['CONNECTIONS_MOST']} sockets are connected at a time, {limits['CONTAINERS_MOST']} of them by "
        f"containers and {limits['CONTAINER_MOST']} by one container"
    ) in PAGE
    assert "#define LINE_MOST (128u * 1024)" in (SOURCES / "lines.h").read_text()
    assert "at most 128 KiB with its newline" in PAGE
