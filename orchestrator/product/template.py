# SPDX-License-Identifier: MIT
"""A new product that builds as it is: a userland that brings up the network, and a web server with its own page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import write_atomically
from orchestrator.errors import ConfigError
from orchestrator.product.load import PRODUCT_FILE, parse_product

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_IGNORED = "build/\n.pycontainer/\n"

_PRODUCT = """\
# The product: what docs/product-file.md says of every key.
product: {name}
version: 0.1.0
machine: {machine}
base: {base}
image:
  storage: 512MiB
control:
  port: org.pycontainer.control
  reason: the virtual machine is asked and updated by this line; leave it out of what you ship

layers:
  rootfs:
    kind: rootfs
    from: {{bitbake: {rootfs}}}
    relax:
      - network: host
        reason: it configures the device's own network card
      - capabilities: [NET_ADMIN, NET_BIND_SERVICE, NET_RAW]
        reason: setting an address, and speaking DHCP from its own low port, need them
    memory: 48MiB

  web:
    kind: app
    from: {{bitbake: {web}}}
    after: [rootfs]
    files:
      - {{source: www, destination: /srv/www}}
    relax:
      - network: host
        reason: it serves on the address that the rootfs layer configured
    memory: 32MiB
    health: {{http: {{port: 8080}}, interval: 10s, timeout: 5s, startPeriod: 10s}}
"""

_RECIPES = {
    "debian": {"rootfs": "rootfs-debian", "web": "app-nginx"},
    "yocto": {"rootfs": "pycontainer-rootfs-minimal", "web": "app-web"},
}

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{name}</title>
<h1>{name}</h1>
<p>This page is the layer web.</p>
</html>
"""


@dataclass(frozen=True)
class Made:
    """A new product: its name, machine, folder, and the files that were written, relative to it."""

    name: str
    machine: str
    folder: Path
    files: tuple[str, ...]


def make_product(folder: Path, name: str | None, machine: str, base: str = "debian") -> Made:
    """Write a new product into a folder, made when missing; other files in it stay, `.gitignore` is added to.

    `base` is what BitBake builds it from, `debian` or `yocto`.

    Raises ConfigError when a product is there already, or a name is out of form; nothing is written then.
    """
    place = folder.resolve()
    if (folder / PRODUCT_FILE).exists():
        raise ConfigError(
            f"there is a product in {folder} already", f"{folder / PRODUCT_FILE}", "choose another folder, or build it"
        )
    chosen = name if name is not None else re.sub(r"[^a-z0-9._-]+", "-", place.name.lower()).strip("-._")
    if not _NAME.match(chosen):
        raise ConfigError(
            f"not a product's name: {chosen!r}",
            "lower-case letters, digits, . _ and -, 63 characters at most, a letter or digit first",
            "give one: --name NAME",
        )
    text = _PRODUCT.format(name=chosen, machine=machine, base=base, **_RECIPES[base])
    parse_product(folder / PRODUCT_FILE, text)  # a machine that is none, above all
    files = {"www/index.html": _PAGE.format(name=chosen)}
    if taken := [path for path in files if (folder / path).exists()]:
        raise ConfigError(f"{folder / taken[0]} is there already", "it would be overwritten", "choose another folder")
    for path, content in files.items():
        write_atomically(folder / path, content.encode())
    ignored = folder / ".gitignore"
    before = ignored.read_text() if ignored.exists() else ""
    missing = [line for line in _IGNORED.splitlines() if line not in before.splitlines()]
    if missing:
        gap = "" if not before or before.endswith("\n") else "\n"
        write_atomically(ignored, (before + gap + "\n".join(missing) + "\n").encode())
    write_atomically(folder / PRODUCT_FILE, text.encode())  # last: with it the folder is a product
    return Made(chosen, machine, place, (PRODUCT_FILE, *files, ".gitignore"))
