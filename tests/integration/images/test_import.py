# SPDX-License-Identifier: MIT
"""Images of real tools, in every form, become exactly the files that their makers saw, and run as they say."""

from __future__ import annotations

import io
import json
import random
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.cache import BuiltLayer
from orchestrator.layers.options import Volume

from .conftest import AWKWARD, LONG, Made, call, snapshot, unpacked

Import = Callable[..., BuiltLayer]


def config(layer: BuiltLayer) -> dict:
    return json.loads(layer.blobs["run-config"].path.read_bytes())


def without_places_for_mounts(found: dict[bytes, object], seen: dict[bytes, object]) -> dict[bytes, object]:
    """The build adds empty directories for mounts, and the working directory."""
    added = {path for path in found if path not in seen}
    assert added <= {b"dev", b"proc", b"sys", b"run", b"tmp", b"made", b"made/here"}
    return {path: entry for path, entry in found.items() if path not in added}


def test_an_image_of_buildah_has_the_files_that_its_maker_saw(made: Made, importing: Import, tmp_path: Path):
    found = without_places_for_mounts(unpacked(importing(made.references["oci"]), tmp_path / "root"), made.seen)
    assert found == made.seen
    assert found[b"data/one"][1:3] == (70_000, 70_001)  # type: ignore[index]
    assert found[b"data/first"][-1] == found[b"data/second"][-1]  # type: ignore[index]
    assert b"data/" + AWKWARD in found
    assert LONG + b"/end" in found
    assert b"data/opaque/a" not in found


def test_every_form_of_an_image_gives_the_same_bytes(made: Made, importing: Import):
    digests = {
        form: (layer.blobs["rootfs"].digest, layer.blobs["run-config"].digest)
        for form, layer in ((form, importing(reference)) for form, reference in made.references.items())
    }
    assert len(set(digests.values())) == 1, digests


def test_an_image_runs_as_it_says(made: Made, importing: Import):
    layer = importing(made.references["docker-archive"])
    process = config(layer)["process"]
    assert process["args"] == ["/bin/sh", "-c", "id"]
    assert process["cwd"] == "/made/here"
    assert process["user"] == {"uid": 33, "gid": 34, "umask": 0o22, "additionalGids": [50]}
    assert "A=b c" in process["env"]
    assert "HOME=/data" in process["env"]
    assert config(layer)["annotations"]["org.example.team"] == "web"
    assert layer.run is not None
    assert layer.run.ports == ("8080/tcp",)
    assert layer.run.stop_signal == signal.SIGRTMIN + 3
    assert [(volume.destination, volume.kind) for volume in layer.run.volumes] == [("/data", "boot")]


def test_an_unchanged_image_is_not_imported_again(made: Made, importing: Import):
    for reference in made.references.values():
        first, second = importing(reference), importing(reference)
        assert second.cached
        assert second.blobs == first.blobs


def test_an_image_that_umoci_packed_again_has_the_files_of_its_bundle(made: Made, importing: Import, tmp_path: Path):
    shutil.copytree(Path(made.references["oci"].split(":")[1]), tmp_path / "oci")
    call("umoci", "new", "--image", f"{tmp_path}/oci:fresh")
    call("umoci", "unpack", "--image", f"{tmp_path}/oci:fresh", tmp_path / "bundle")
    root = tmp_path / "bundle" / "rootfs"
    for turn in range(3):
        (root / "bin").mkdir(exist_ok=True)
        shutil.copy("/bin/busybox", root / "bin" / "sh")
        (root / f"kept-{turn}").write_text(f"{turn}\n" * 100)
        (root / f"gone-{turn}" / "deep").mkdir(parents=True)
        (root / f"gone-{turn}" / "deep" / "file").write_text("x")
        if turn:
            shutil.rmtree(root / f"gone-{turn - 1}")
            (root / f"again-{turn}").hardlink_to(root / f"kept-{turn - 1}")
            (root / "bin" / "link").unlink(missing_ok=True)
            (root / "bin" / "link").symlink_to(f"../kept-{turn}")
        call("umoci", "repack", "--refresh-bundle", "--image", f"{tmp_path}/oci:fresh", tmp_path / "bundle")
    layer = importing(f"oci:{tmp_path}/oci:fresh", command=("/bin/sh",))
    found = without_places_for_mounts(unpacked(layer, tmp_path / "root"), snapshot(root))
    assert found == snapshot(root)
    with pytest.raises(ConfigError, match="has several images") as caught:
        importing(f"oci:{tmp_path}/oci", command=("/bin/sh",))
    assert caught.value.why == "app:1, fresh"


def test_umoci_unpacks_the_same_files_where_it_is_right(made: Made, importing: Import, tmp_path: Path):
    layout = Path(made.references["oci"].split(":")[1])
    shutil.copytree(layout, tmp_path / "oci")
    call("umoci", "tag", "--image", f"{tmp_path}/oci:app:1", "plain")
    call("umoci", "unpack", "--image", f"{tmp_path}/oci:plain", tmp_path / "bundle")
    found = without_places_for_mounts(unpacked(importing(f"oci:{tmp_path}/oci:plain"), tmp_path / "root"), made.seen)
    theirs = snapshot(tmp_path / "bundle" / "rootfs")
    assert set(found) == set(theirs)
    late = b"data/kept"
    assert (
        {path: entry[:4] for path, entry in found.items() if path != late}
        == {  # type: ignore[index]
            path: entry[:4]
            for path, entry in theirs.items()
            if path != late  # type: ignore[index]
        }
    )


def test_the_right_platform_is_taken_out_of_a_manifest_list(made: Made, importing: Import, tmp_path: Path):
    buildah = made.buildah
    for platform in ("linux/arm64/v8", "linux/arm/v7", "linux/amd64"):
        name = platform.replace("/", "-")
        container = buildah("from", "--platform", platform, "scratch")
        root = Path(buildah("mount", container))
        (root / "sh").write_text(platform)
        (root / "sh").chmod(0o755)
        buildah("umount", container)
        buildah("commit", "-q", "--rm", container, name)
    buildah("manifest", "create", "all", "linux-arm64-v8", "linux-arm-v7", "linux-amd64")
    buildah("manifest", "push", "-q", "--all", "all", f"oci:{tmp_path}/oci:all")
    for wanted, taken in (
        ("linux/amd64", "linux/amd64"),
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm/v7", "linux/arm/v7"),
    ):
        layer = importing(f"oci:{tmp_path}/oci:all", wanted, command=("/sh",))
        folder = tmp_path / wanted.replace("/", "-")
        unpacked(layer, folder)
        assert (folder / "sh").read_text() == taken
    with pytest.raises(ConfigError, match="no image for linux/riscv64"):
        importing(f"oci:{tmp_path}/oci:all", "linux/riscv64", command=("/sh",))


def test_a_flipped_bit_anywhere_in_a_blob_is_refused(made: Made, importing: Import, tmp_path: Path):
    layout = tmp_path / "oci"
    shutil.copytree(Path(made.references["oci"].split(":")[1]), layout)
    blobs = sorted((layout / "blobs" / "sha256").iterdir())
    assert len(blobs) == 4
    for path in blobs:
        data = bytearray(path.read_bytes())
        for place in (0, len(data) // 2, len(data) - 1):
            data[place] ^= 1
            path.write_bytes(data)
            with pytest.raises(VerificationError):
                importing(f"oci:{layout}")
            data[place] ^= 1
        path.write_bytes(data)
    assert not importing(f"oci:{layout}").cached


def test_an_import_needs_no_root(made: Made, importing: Import, tmp_path: Path):
    """In a process of another user, on files that it may only read."""
    reference = made.references["docker-archive"].split(":")[1]
    shutil.copy(reference, tmp_path / "a.tar")
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.owner() == "root" and folder != Path("/") and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from orchestrator.layers.archive import ArchiveSource\n"
        "from orchestrator.layers.squashfs import SquashFS\n"
        "from orchestrator.layers.tree import Limits\n"
        "from orchestrator.oci.platform import Platform\n"
        "from orchestrator.run import Tools\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "place = Path(sys.argv[1])\n"
        "source = ArchiveSource(place / 'a.tar', 'docker', '', Platform('linux', 'amd64'), 'a.tar')\n"
        "tree = source.load(place / 'work', Limits(), 0).tree\n"
        "SquashFS(level=1).pack(tree, place / 'image', Tools(), 1_700_000_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    call("unsquashfs", "-q", "-n", "-d", tmp_path / "root", tmp_path / "image")
    found = snapshot(tmp_path / "root")
    assert (
        {path: entry[:3] for path, entry in found.items()}
        == {  # type: ignore[index]
            path: entry[:3]
            for path, entry in made.seen.items()  # type: ignore[index]
        }
    )


NAMES = ("a", "b", "c", "d")


def random_layer(dice: random.Random, turn: int) -> bytes:
    """A changeset as tools write them: parents first, whiteouts before what comes in their place."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted({"/".join(dice.choices(NAMES, k=dice.randint(1, 3))) for _ in range(dice.randint(2, 8))}):
            info = tarfile.TarInfo(name)
            parent, _, last = name.rpartition("/")
            what = dice.randrange(4)
            if turn and what == 0:
                info.name = f"{parent}/.wh.{last}".lstrip("/")
                archive.addfile(info)
            elif turn and what == 1:
                info.type, info.mode = tarfile.DIRTYPE, 0o750
                archive.addfile(info)
                archive.addfile(tarfile.TarInfo(f"{name}/.wh..wh..opq"))
            else:
                info.type, info.mode = tarfile.DIRTYPE, 0o711
                archive.addfile(info)
                data = f"{turn} {name}".encode()
                file = tarfile.TarInfo(f"{name}/file-{dice.randrange(3)}")
                file.size, file.mode, file.uid = len(data), 0o640, turn
                archive.addfile(file, io.BytesIO(data))
    return sink.getvalue()


@pytest.mark.parametrize("seed", range(8))
def test_random_stacks_of_layers_become_what_umoci_unpacks(importing: Import, tmp_path: Path, seed: int):
    dice = random.Random(seed)
    image = f"{tmp_path}/oci:x"
    call("umoci", "init", "--layout", tmp_path / "oci")
    call("umoci", "new", "--image", image)
    for turn in range(4):
        (tmp_path / "layer.tar").write_bytes(random_layer(dice, turn))
        call("umoci", "raw", "add-layer", "--image", image, tmp_path / "layer.tar")
    call("umoci", "unpack", "--image", image, tmp_path / "bundle")
    theirs = snapshot(tmp_path / "bundle" / "rootfs")
    layer = importing(f"oci:{image}", entrypoint=("/nothing/at/all",), volumes=(Volume("v", "/nothing"),))
    found = {path: entry for path, entry in unpacked(layer, tmp_path / "root").items() if path[:1] in b"abcd"}
    assert {path: entry for path, entry in found.items() if path != b"dev"} == theirs
