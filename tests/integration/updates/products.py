# SPDX-License-Identifier: MIT
"""Revisions of one product that differ in what an update may change, each built when a test first asks for it.

All of them come from the demo's BitBake folder, so that a build takes seconds, and lie in one store.
"""

from __future__ import annotations

import copy
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import yaml

from orchestrator.build.imaging import image_request, tools_of
from orchestrator.bundle import create
from orchestrator.canonical import sha256_digest
from orchestrator.deploy import Deploy
from orchestrator.image.writer import write_image
from orchestrator.layers.verity import fsverity_digest
from orchestrator.oci import Store
from orchestrator.product.load import load_product
from orchestrator.revision import LayerBlob, Revision, RevisionConfig, assemble, load_revision, newc
from orchestrator.run import Tools
from orchestrator.trust import ProductKeys, load_keys, sign_revision
from tests.integration.conftest import Product, copy_demo

File = dict[str, Any]
STORAGE_MIB = 512
HEADLINE = "It runs."

# Not the kernel's own pid 1 defaults: a first process without a handler does not get SIGTERM.
START = """\
trap 'kill $!; exit 0' TERM
if [ -e /data/fail ]; then rm /data/fail; exit 1; fi
echo "box has started"
httpd -f -p 8000 -h /www &
wait
"""
# What a container may send to its control socket: one line; prints what comes until the answer's last object.
ASK = r"""
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX, .sun_path = "/run/pycontainer/control.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char line[1 << 17];

	if (argc != 2 || connect(fd, (struct sockaddr *)&place, sizeof place) < 0) {
		perror("connect");
		return 1;
	}
	FILE *stream = fdopen(fd, "r+");
	fprintf(stream, "%s\n", argv[1]);
	fflush(stream);
	while (fgets(line, sizeof line, stream) != NULL) {
		fputs(line, stdout);
		if (strstr(line, "\"ok\":") != NULL || strstr(line, "\"error\":") != NULL)
			return 0;
	}
	return 1;
}
"""


@dataclass(frozen=True)
class Made:
    """A revision, its bundle (without what the base revision has), and the headline of its page."""

    name: str
    revision: Revision
    bundle: Path
    headline: str

    @property
    def id(self) -> str:
        """Its id as a device tells it, 64 hex digits."""
        return self.revision.hex

    @property
    def short(self) -> str:
        return self.revision.short

    def blob(self, layer: str, role: str) -> str:
        """The digest of a layer's blob."""
        return next(each.digest for each in self.revision.blobs() if (each.layer, each.role) == (layer, role))


def _args(*words: str) -> Callable[[File], None]:
    def change(file: File) -> None:
        file["kernel"] = {"args": list(words)}

    return change


def _web(**members: Any) -> Callable[[File], None]:
    def change(file: File) -> None:
        file["layers"]["web"] |= members

    return change


def _box(**members: Any) -> Callable[[File], None]:
    def change(file: File) -> None:
        file["layers"]["box"] |= members

    return change


def _rootfs(**members: Any) -> Callable[[File], None]:
    def change(file: File) -> None:
        file["layers"]["rootfs"] |= members

    return change


def _top(**members: Any) -> Callable[[File], None]:
    def change(file: File) -> None:
        file.update(members)

    return change


def _payload(name: str) -> Callable[[File], None]:
    def change(file: File) -> None:
        file["layers"]["box"]["files"] = [{"source": f"payloads/{name}", "destination": "/payload"}]

    return change


def _all(*changes: Callable[[File], None]) -> Callable[[File], None]:
    def change(file: File) -> None:
        for each in changes:
            each(file)

    return change


NEVER_WELL = {"tcp": 9, "interval": "300ms", "timeout": "2s", "retries": 100}
_CRASHING = _web(entrypoint=["/usr/sbin/nginx", "-c", "/nothing"], command=[], restart={"initialDelay": "100ms"})
CHANGES: dict[str, Callable[[File], None]] = {
    "base": lambda file: None,
    # Live: only containers differ.
    "page": _rootfs(observe={"exec": "record"}),
    "held": _top(confirm={"timeout": "300s", "manual": True}),
    "secure": _top(securityVersion=2),
    "never-well": _all(_web(health=NEVER_WELL), _top(confirm={"timeout": "6s"})),
    "crashing": _CRASHING,
    "required": _box(required=True, restart={"policy": "always", "maxRetries": 1, "initialDelay": "100ms"}),
    "payload-a": _payload("a"),
    "payload-b": _payload("b"),
    "payload-c": _payload("c"),
    # Over a restart: the BSP differs.
    "kernel": _args("loglevel=3"),
    "kernel-a": _all(_args("loglevel=3", "test=a"), _payload("a")),
    "kernel-b": _all(_args("loglevel=3", "test=b"), _payload("b")),
    "talkative": _args("loglevel=7"),
    "kernel-crashing": _all(_args("test=c"), _CRASHING),
    "quick": _args("panic=1"),
    "panics": _args("rdinit=/nothing", "panic=1"),
    "hangs": _args("rdinit=/nothing", "panic=0"),
    "nmi-hangs": _args("unknown_nmi_panic", "panic=0"),
}
PAYLOAD_MIB = 12


class Family:
    """The product, its revisions by name, and the image that holds the one named base.

    Without `box` it lacks the container of that name, whose programs are this computer's own. `patience` is how long a
    container may take to get healthy, and a trial to be confirmed.
    """

    def __init__(self, demo: Product, folder: Path, *, box: bool = True, patience: str = "60s") -> None:
        self.folder = folder
        self.patience = patience
        self.product = _linked(demo, folder / "product")
        self.deploy = Deploy(demo.deploy)
        self.image = folder / "base.img"
        self._made: dict[str, Made] = {}
        self._building = threading.RLock()
        self._file = self._product_file()
        self._page = (self.product.folder / "www" / "index.html").read_text()
        if box:
            self._fill_box()
        else:
            del self._file["layers"]["box"]
        self.base = self.made("base")
        sparse_copy(self.product.image, self.image)

    @property
    def tools(self) -> Tools:
        """The programs that BitBake deployed."""
        return tools_of(self.deploy)

    @property
    def store(self) -> Store:
        return Store.open(self.product.folder / ".pycontainer" / "store")

    def made(self, name: str) -> Made:
        """The revision of that name, built now when it is not yet."""
        with self._building:
            if name not in self._made:
                self._made[name] = self._make(name, self.product.keys)
            return self._made[name]

    def signed_by_others(self) -> Made:
        """The product built and signed where other keys are."""
        with self._building:
            if "others" not in self._made:
                self._made["others"] = self._make("page", self.folder / "other-keys")
            return self._made["others"]

    def without_init(self) -> Made:
        """The revision "quick" with an initramfs that has no program in it."""
        with self._building:
            if "without-init" not in self._made:
                archive = newc({"etc/nothing": b"nothing runs here\n"})
                quick = self.made("quick")
                self._made["without-init"] = self._with_blob(quick, "without-init", "host", "initramfs", archive)
            return self._made["without-init"]

    def with_loader(self) -> Made:
        """The revision "kernel" with another boot loader: GRUB's program with bytes behind its end."""
        with self._building:
            if "loader" not in self._made:
                kernel = self.made("kernel")
                efi = next(each for each in kernel.revision.blobs() if each.role == "efi")
                data = self.store.blob_path(efi.digest).read_bytes() + b"another one\n".ljust(4096, b"\0")
                self._made["loader"] = self._with_blob(kernel, "loader", efi.layer, "efi", data)
            return self._made["loader"]

    def with_tree(self, name: str, tree: bytes) -> Made:
        """The revision "talkative" with a device tree of its own."""
        with self._building:
            if name not in self._made:
                made = self.made("talkative")
                kernel = next(each for each in made.revision.blobs() if each.role == "kernel")
                self._made[name] = self._with_blob(made, name, kernel.layer, "dtb", tree)
            return self._made[name]

    def on_a_board(self) -> tuple[Made, Path]:
        """The base as a board has it, whose firmware lies before the first partition; and its image."""
        path = self.folder / "board.tar"
        areas = {
            "loader": {"offset": 32 * 1024, "size": 64 * 1024},
            "u-boot": {"offset": 8 * 2**20, "size": 4 * 2**20, "type": "2e54b353-1271-4842-806f-e436d6af6985"},
        }
        plan = {"schemaVersion": 1, "areas": [{"name": name, **each} for name, each in areas.items()]}
        contents = {"plan.json": json.dumps(plan).encode(), "esp/config.txt": b"kernel=u-boot.bin\n"}
        contents |= {f"areas/{name}": name.encode() * 1000 for name in areas}
        with tarfile.open(path, "w") as tar:
            for name, data in contents.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        digest = sha256_digest(path.read_bytes())
        self.store.put_blob(path.read_bytes(), expected=digest)
        base = self.base.revision
        layer = next(each.layer for each in base.blobs() if each.role == "efi")
        config = replace_blob(base, layer, "board", digest, "1.0.0-board")
        blob = LayerBlob(layer, "board", digest, path.stat().st_size, fsverity_digest(path))
        revision = assemble(self.store, config, [*base.blobs(), blob])
        keys = self._keys(self.product.keys)
        sign_revision(self.store, revision, keys.signers())
        made = self._bundled("board", revision, self.base.headline, self.product.keys, base)
        product = load_product(self.product.folder / "pycontainer.yaml")
        request = image_request(self.store, revision, product, self.deploy, keys)
        epoch = self.deploy.manifest.source_date_epoch
        return made, write_image(request, self.folder / "board.img", self.tools, epoch).image

    def _make(self, name: str, keys: Path) -> Made:
        headline = HEADLINE if name == "base" else f"This is {name}."
        file = copy.deepcopy(self._file)
        file["version"] = f"1.0.0-{name}"
        CHANGES[name](file)
        self._write(file, headline)
        summary = self.product.build(PYCONTAINER_KEYS=str(keys))
        base = self.base.revision if name != "base" and keys == self.product.keys else None
        return self._bundled(name, load_revision(self.store, summary["revision"]), headline, keys, base)

    def _bundled(self, name: str, revision: Revision, headline: str, keys: Path, base: Revision | None) -> Made:
        bundle = self.folder / f"{name}-{revision.short}.tar"
        create(self.store, [revision], self._keys(keys), bundle, base=base)
        return Made(name, revision, bundle, headline)

    def whole_bundle(self, made: Made) -> Path:
        """A bundle of a revision with all that it needs."""
        bundle = self.folder / f"whole-{made.name}-{made.short}.tar"
        with self._building:
            if not bundle.exists():
                create(self.store, [made.revision], self._keys(self.product.keys), bundle)
        return bundle

    def _with_blob(self, made: Made, name: str, layer: str, role: str, data: bytes) -> Made:
        """A revision with another blob, or one more, assembled and signed as a build does it."""
        path = self.folder / name
        path.write_bytes(data)
        digest = sha256_digest(data)
        self.store.put_blob(data, expected=digest)
        config = replace_blob(made.revision, layer, role, digest, f"1.0.0-{name}")
        others = [each for each in made.revision.blobs() if (each.layer, each.role) != (layer, role)]
        blob = LayerBlob(layer, role, digest, len(data), fsverity_digest(path))
        revision = assemble(self.store, config, [*others, blob])
        sign_revision(self.store, revision, self._keys(self.product.keys).signers())
        return self._bundled(name, revision, made.headline, self.product.keys, self.base.revision)

    def _keys(self, folder: Path) -> ProductKeys:
        return load_keys("demo", environment={"PYCONTAINER_KEYS": str(folder)})

    def _write(self, file: File, headline: str) -> None:
        (self.product.folder / "pycontainer.yaml").write_text(yaml.safe_dump(file, sort_keys=False))
        page = self._page.replace(HEADLINE, headline)
        (self.product.folder / "www" / "index.html").write_text(page)

    def _product_file(self) -> File:
        file: File = yaml.safe_load((self.product.folder / "pycontainer.yaml").read_text())
        file["image"] = {"storage": f"{STORAGE_MIB}MiB"}
        file["control"] = {"port": "org.pycontainer.control", "reason": "the tests hold its other end"}
        file["confirm"] = {"timeout": self.patience}
        layers = file["layers"]
        layers["rootfs"]["confirm"] = {"healthyFor": "1s"}
        layers["web"] |= {
            "health": {"http": {"port": 8080}, "startPeriod": self.patience, "interval": "500ms", "timeout": "5s"},
            "confirm": {"healthyFor": "1s"},
            "stopTimeout": "3s",
        }
        layers["box"] = {
            "kind": "app",
            "from": {"directory": "box"},
            "command": ["/bin/sh", "/start"],
            "after": ["rootfs"],
            "ports": ["8081:8000"],
            "volumes": [
                {"name": "data", "destination": "/data", "kind": "permanent"},
                {"name": "cache", "destination": "/cache", "kind": "revision"},
                {"name": "scratch", "destination": "/scratch", "kind": "boot"},
            ],
            "relax": [{"control": ["version", "status"], "reason": "the tests ask there"}],
            "memory": "32MiB",
            "io": {"read": "50MiB", "write": "40MiB"},
            "confirm": {"healthyFor": "1s"},
            "stopTimeout": "3s",
        }
        return file

    def _fill_box(self) -> None:
        """A root file system of busybox, and files that do not compress."""
        box = self.product.folder / "box"
        for name in ("bin", "www", "proc", "dev", "sys", "tmp", "data", "cache", "scratch", "etc", "run/pycontainer"):
            (box / name).mkdir(parents=True)
        busybox = shutil.which("busybox")
        assert busybox is not None, "busybox-static is needed"
        shutil.copy2(busybox, box / "bin" / "busybox")
        listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
        for name in set(listed.split()) - {"busybox"}:
            (box / "bin" / name).symlink_to("busybox")
        (box / "start").write_text(START)
        (box / "www" / "index.html").write_text("box\n")
        source = self.folder / "ask.c"
        source.write_text(ASK)
        subprocess.run(["gcc", "-static", "-Os", "-Wall", "-Werror", "-o", box / "bin" / "ask", source], check=True)
        payloads = self.product.folder / "payloads"
        payloads.mkdir()
        for name in ("a", "b", "c"):
            (payloads / name).write_bytes(Random(name).randbytes(PAYLOAD_MIB * 2**20))


def replace_blob(revision: Revision, layer: str, role: str, digest: str, version: str) -> RevisionConfig:
    """The configuration of a revision with another blob and version."""
    layers = [
        msgspec.structs.replace(each, blobs=each.blobs | {role: digest}) if each.name == layer else each
        for each in revision.config.layers
    ]
    return msgspec.structs.replace(revision.config, layers=layers, version=version)


def sparse_copy(source: Path, target: Path) -> Path:
    """Copy an image without its holes."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)
    return target


def _linked(demo: Product, folder: Path) -> Product:
    """A copy of the demo on its BitBake folder, by a link: no build of it runs BitBake."""
    product = copy_demo(folder, demo.keys, demo.machine)
    build = demo.folder / "build"
    shutil.copytree(
        build, folder / "build", ignore=shutil.ignore_patterns("bitbake-*", "*.img", "*.bmap"), symlinks=True
    )
    name = f"bitbake-{demo.machine}"
    (folder / "build" / name).symlink_to(build / name)
    shutil.copytree(demo.folder / ".pycontainer", folder / ".pycontainer", symlinks=True)
    return product
