# SPDX-License-Identifier: MIT
"""Images by buildah, copied by skopeo into every form, and what their makers saw in them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.build.containers import image_source
from orchestrator.canonical import hash_file
from orchestrator.layers.build import Surroundings, build_layer
from orchestrator.layers.cache import BuiltLayer, LayerCache
from orchestrator.layers.options import RunOptions
from orchestrator.layers.squashfs import SquashFS
from orchestrator.oci.platform import parse_platform
from orchestrator.product.reference import parse_reference
from orchestrator.run import Tools

EPOCH = 1_700_000_000
AWKWARD = b"\xff\nn\xc3\xa4me"
LONG = b"/".join([b"long" * 50] * 3)


@pytest.fixture(scope="session", autouse=True)
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("making device nodes and foreign owners needs root; importing them does not")


def call(*words: str | Path) -> str:
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Buildah:
    """buildah with its storage in a folder of the test's."""

    folder: Path

    def __call__(self, *words: str | Path) -> str:
        places = ["--root", self.folder / "root", "--runroot", self.folder / "run"]
        return call("buildah", *places, "--storage-driver", "vfs", *words)

    def change(self, base: str, name: str, change: Callable[[Path], None], *config: str) -> dict[bytes, object]:
        """Commit `name` out of `base` with a change of its files; returns what the files then looked like."""
        container = self("from", base)
        root = Path(self("mount", container))
        change(root)
        seen = snapshot(root)
        self("umount", container)
        if config:
            self("config", *config, container)
        self("commit", "-q", "--rm", container, name)
        return seen


def snapshot(root: Path) -> dict[bytes, object]:
    """Return everything that can be seen of the files below a folder: a name stands for others it is a link of."""
    found: dict[bytes, object] = {}
    first: dict[int, bytes] = {}
    for path in root.rglob("*"):
        state = path.lstat()
        shown = os.fsencode(path.relative_to(root))
        content: object = None
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            # SquashFS has no time after the build's own, so that a build is the same whenever it is made.
            content = (state.st_size, hash_file(path), min(int(state.st_mtime), EPOCH))
        elif path.is_block_device() or path.is_char_device():
            content = state.st_rdev
        xattrs = {each: os.getxattr(path, each, follow_symlinks=False) for each in _xattrs(path)}
        same = shown if path.is_dir() else first.setdefault(state.st_ino, shown)
        found[shown] = (stat.filemode(state.st_mode), state.st_uid, state.st_gid, content, xattrs, same)
    # Which name of a hard link comes first depends on the walk: the least one stands for all.
    least: dict[bytes, bytes] = {}
    for path in sorted(found):
        least.setdefault(found[path][-1], path)  # type: ignore[index]
    return {path: (*entry[:-1], least[entry[-1]]) for path, entry in found.items()}  # type: ignore[index]


def _xattrs(path: Path) -> list[str]:
    return [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith(("user.", "security.cap"))]


def lower(root: Path) -> None:
    """A small root file system with one of everything that tools get wrong."""
    for folder in ("bin", "etc", "data/sub", "data/opaque", "srv", "work"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").hardlink_to(root / "bin/busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:web:/data:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nwww:x:34:\nlog:x:50:www\nlogs:x:51:wwww\n")
    (root / "lib").symlink_to("data/sub")
    (root / "absolute").symlink_to("/etc/passwd")
    for name in ("one", "old", "sub/x", "opaque/a", "opaque/b", "kept"):
        (root / "data" / name).write_text(f"lower {name}\n")
    os.chown(root / "data", 33, 34)
    os.chown(root / "data/one", 70_000, 70_001)
    os.utime(root / "data/one", (0, 0))
    os.utime(root / "data/kept", (2**32 - 2, 2**32 - 2))
    with (root / "data/sparse").open("wb") as stream:
        stream.truncate(3 * 2**20)
        stream.seek(2**20)
        stream.write(b"island")
    tool = root / "data/tool"
    tool.write_text("#!/bin/sh\n")
    os.chown(tool, 33, 34)
    tool.chmod(0o6755)
    capable = root / "data/capable"
    capable.write_text("x")
    os.setxattr(capable, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.mknod(root / "data/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(root / "data/pipe")
    (root / "data" / os.fsdecode(AWKWARD)).write_text("awkward")
    (root / os.fsdecode(LONG)).mkdir(parents=True)
    (root / os.fsdecode(LONG) / "end").write_text("far away")


def upper(root: Path) -> None:
    """What a later build step does: remove, replace, empty, link, and write through a link."""
    (root / "data/old").unlink()
    (root / "data/first").write_text("new\n")
    (root / "data/second").hardlink_to(root / "data/first")  # buildah makes a copy of a link to a lower file
    os.setxattr(root / "data/first", "user.empty", b"")  # and loses those of lower files in its mount
    os.setxattr(root / "data/first", "user.word", b"\0\xff")
    shutil.rmtree(root / "data/opaque")
    (root / "data/opaque").mkdir(mode=0o711)
    (root / "data/opaque/c").write_text("new\n")
    (root / "lib/y").write_text("behind the link\n")
    (root / "srv").rmdir()
    (root / "srv").write_text("a file now\n")
    (root / "work").rmdir()
    (root / "work").symlink_to("data")
    (root / "data/kept").chmod(0o600)


@dataclass
class Made:
    """The image in all forms: references by the form's name, what its maker saw, and who else may make some."""

    buildah: Buildah
    seen: dict[bytes, object]
    references: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An image of two OCI layers by buildah, in every form that skopeo writes."""
    folder = tmp_path_factory.mktemp("images")
    buildah = Buildah(folder / "buildah")
    options = ["--user", "www", "--cmd", '["/bin/sh", "-c", "id"]', "--workingdir", "/made/here", "--env", "A=b c"]
    options += ["--label", "org.example.team=web", "--port", "8080", "--stop-signal", "RTMIN+3", "--volume", "/data"]
    buildah.change("scratch", "base", lower, *options)
    seen = buildah.change("base", "top", upper)
    oci = folder / "oci"
    buildah("push", "-q", "--format", "oci", "top", f"oci:{oci}:app:1")
    made = Made(buildah, seen, {"oci": f"oci:{oci}:app:1"})
    for form, target, *more in (
        ("zstd", f"oci:{folder}/zstd", "--dest-compress-format", "zstd"),
        ("oci-archive", f"oci-archive:{folder}/oci.tar:app:1"),
        ("docker-archive", f"docker-archive:{folder}/docker.tar:registry.example/app:1"),
    ):
        call("skopeo", "copy", "-q", f"oci:{oci}:app:1", target, *more)
        made.references[form] = target
    (folder / "docker.tar.gz").write_bytes(subprocess.check_output(["gzip", "-nc", folder / "docker.tar"]))
    made.references["docker-archive, gzip"] = f"docker-archive:{folder}/docker.tar.gz:app:1"
    buildah("push", "-q", "--format", "v2s2", "top", f"docker-archive:{folder}/buildah.tar:app:1")
    made.references["docker-archive of buildah"] = f"docker-archive:{folder}/buildah.tar"
    return made


SERVE = "/bin/busybox id > /data/index.html && exec /bin/busybox httpd -f -v -p 8080 -h /data"


@pytest.fixture(scope="session")
def server(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Docker image that serves on port 8080 what its process says of itself, as an archive."""
    path = tmp_path_factory.mktemp("server") / "server.tar"
    buildah = made.buildah
    container = buildah("from", "--format", "docker", "top")
    buildah("config", "--entrypoint", '["/bin/sh", "-c"]', "--cmd", f"'{SERVE}'", container)
    buildah("config", "--healthcheck", "CMD /bin/busybox wget -q -O /dev/null 127.0.0.1:8080", container)
    buildah("config", "--healthcheck-interval", "1s", "--healthcheck-start-period", "5s", container)
    buildah("commit", "-q", "--rm", "--format", "docker", container, "server")
    buildah("push", "-q", "server", f"docker-archive:{path}:registry.example/server:1")
    return path


@pytest.fixture(scope="session")
def idle(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image without its volume, which would hide what it has there, as an archive; it does nothing."""
    path = tmp_path_factory.mktemp("idle") / "idle.tar"
    buildah = made.buildah
    container = buildah("from", "top")
    buildah("config", "--volume", "/data-", "--user", "0", container)
    buildah("config", "--entrypoint", '["/bin/busybox", "sleep"]', "--cmd", '["100000"]', container)
    buildah("commit", "-q", "--rm", container, "idle")
    buildah("push", "-q", "idle", f"docker-archive:{path}:registry.example/idle:1")
    return path


@pytest.fixture
def importing(tmp_path: Path) -> Callable[..., BuiltLayer]:
    """Import an image by its reference, as a product file would name it."""
    profile = Path("/usr/share/containers/seccomp.json")
    around = Surroundings(Tools(), LayerCache(tmp_path / "cache"), "amd64", EPOCH, profile)

    def run(reference: str, platform: str = "linux/amd64", **options: object) -> BuiltLayer:
        source = image_source(parse_reference(reference), parse_platform(platform), tmp_path)
        return build_layer(source, RunOptions("app", **options), around, SquashFS(level=1))  # type: ignore[arg-type]

    return run


def unpacked(layer: BuiltLayer, folder: Path) -> dict[bytes, object]:
    """Return what the kernel would show of a layer's image."""
    call("unsquashfs", "-q", "-n", "-d", folder, layer.blobs["rootfs"].path)
    return snapshot(folder)
