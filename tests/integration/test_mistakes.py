# SPDX-License-Identifier: MIT
"""Bad input: one clear error with what to do, the right exit code, an intact store, and the next run goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.oci import Store, fsck
from tests.integration.conftest import REPOSITORY, Finished, Product, copy_demo, pycontainer


def complains(done: Finished, code: int, *words: str) -> None:
    assert done.code == code, done.err + done.out
    assert "Traceback" not in done.err
    assert done.err.count("error:") == 1
    assert "do:" in done.err
    for word in words:
        assert word in done.err, done.err


def at_work_in(folder: Path) -> list[str]:
    """The command lines of the processes whose working folder or environment is of `folder`: kas, BitBake, tasks."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            place = str((process / "cwd").readlink())
            if f"{place}/".startswith(f"{folder}/") or os.fsencode(folder) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture
def fresh(demo: Product, tmp_path: Path) -> Product:
    """A copy that was never built."""
    return copy_demo(tmp_path / "product", demo.keys)


def edit(product: Product, old: str, new: str) -> None:
    path = product.folder / "pycontainer.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_typo_is_named_with_file_line_and_path(fresh: Product):
    edit(fresh, "kind: app", "knd: app")
    complains(fresh.run("build"), 2, "pycontainer.yaml:", "layers.web.knd", "did you mean 'kind'")
    assert not (fresh.folder / "build").exists()


def test_an_unknown_machine_lists_the_known_ones(fresh: Product):
    complains(fresh.run("build", "--machine", "toaster"), 2, "toaster", "qemu-amd64")


def test_no_product_file_says_how_to_name_one(tmp_path: Path):
    complains(pycontainer("build", tmp_path), 2, "pycontainer.yaml")


def test_a_capability_that_does_not_exist_is_found_before_bitbake_runs(fresh: Product):
    edit(fresh, "NET_RAW", "NET_ROW")
    complains(fresh.run("build"), 2, "CAP_NET_ROW")
    assert not (fresh.folder / "build" / "bitbake-qemu-amd64").exists()


def test_an_image_of_a_damaged_store_is_not_written(sibling: Product, tmp_path: Path):
    blobs = sibling.folder / ".pycontainer" / "store" / "blobs" / "sha256"
    largest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.unlink()
    largest.write_bytes(data)
    complains(sibling.run("image", "-o", tmp_path / "x.img"), 7)
    assert not (tmp_path / "x.img").exists()


def test_a_file_that_the_product_names_but_does_not_have(fresh: Product):
    edit(fresh, "source: www", "source: wwww")
    complains(fresh.run("build"), 2, "wwww")


def test_no_network_and_nothing_downloaded(fresh: Product, tmp_path: Path):
    done = fresh.run(
        "build",
        DL_DIR=str(tmp_path / "downloads"),
        PYCONTAINER_DEBIAN_MIRROR="http://127.0.0.1:9/debian",
        PYCONTAINER_DEBIAN_SECURITY_MIRROR="http://127.0.0.1:9/debian-security",
    )
    complains(done, 3)
    assert not (fresh.folder / ".pycontainer").exists()


def test_a_storage_partition_that_is_too_small(sibling: Product):
    before = sibling.image.stat()
    edit(sibling, "storage: 512MiB", "storage: 24MiB")
    complains(sibling.run("build"), 2, "storage")
    assert (sibling.image.stat().st_mtime_ns, sibling.image.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    edit(sibling, "storage: 24MiB", "storage: 256MiB")
    assert sibling.build()["bitbakeTasks"] == 0


def test_a_private_key_that_others_can_read(sibling: Product, tmp_path: Path):
    keys = tmp_path / "keys"
    sibling.build(PYCONTAINER_KEYS=str(keys))
    private = next(keys.rglob("*.key.pem"))
    private.chmod(0o644)
    complains(sibling.run("build", PYCONTAINER_KEYS=str(keys)), 7, "chmod")


def test_qemu_is_missing(demo: Product, tmp_path: Path):
    done = demo.run("run", "--expect", "ready", PATH=str(tmp_path))
    complains(done, 2, "qemu-system-x86_64 is not installed", "qemu-system-x86")


def test_a_missing_host_tool_is_found_by_the_doctor(tmp_path: Path):
    done = pycontainer("doctor", PATH=str(tmp_path))
    assert done.code == 2
    assert "MISSING" in done.out
    assert "apt-get install" in done.out


def test_an_output_path_that_cannot_be(sibling: Product, tmp_path: Path):
    (tmp_path / "file").write_text("")
    complains(sibling.run("image", "-o", tmp_path / "file" / "x.img"), 2)


def test_an_image_that_was_never_built(fresh: Product):
    for command in ("run", "image"):
        complains(fresh.run(command), 2, "demo was not built yet for qemu-amd64", "pycontainer build")


def test_a_typo_in_a_recipe_is_named_where_the_product_file_has_it(fresh: Product):
    edit(fresh, "app-nginx", "app-ngnix")
    words = ("pycontainer.yaml:", "layers.web.from.bitbake: no recipe app-ngnix", "did you mean 'app-nginx'?")
    complains(fresh.run("build"), 2, *words)


def test_a_damaged_store_is_found_before_anything_is_built_and_can_be_removed(sibling: Product):
    store = sibling.folder / ".pycontainer" / "store"
    revision = sibling.build()["revision"]
    (store / "index.json").write_text('{"schemaVersion": 2, "mani')
    for arguments in ([], ["--force"]):
        complains(sibling.run("build", *arguments), 5, "index.json", f"remove {store}")
    assert sibling.deploy.exists()
    shutil.rmtree(store)
    assert sibling.build()["revision"] == revision
    assert fsck(Store.open(store)).whole


def test_a_lost_tag_is_set_again(sibling: Product):
    index = sibling.folder / ".pycontainer" / "store" / "index.json"
    revision = sibling.build()["revision"]
    index.write_text(index.read_text().replace("candidate/qemu-amd64", "other"))
    summary = sibling.build()
    assert (summary["unchanged"], summary["revision"]) == (False, revision)
    assert sibling.run("verify").code == 0


def test_two_builds_at_once_in_one_folder(sibling: Product):
    held = subprocess.Popen(
        [sys.executable, "-c",
         "import sys,fcntl,os,time; f=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT); fcntl.flock(f,fcntl.LOCK_EX);"
         "os.ftruncate(f,0); os.pwrite(f,str(os.getpid()).encode(),0); print('held',flush=True); time.sleep(60)",
         str(sibling.folder / "build" / ".lock")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        complains(sibling.run("build"), 75, "another build", str(held.pid))
    finally:
        held.kill()
        held.wait()
    assert sibling.run("build").code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB, as root mounts it."""
    if os.geteuid() != 0:
        pytest.fail("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_too_small_for_a_build_is_said_before_it_starts(small_disk: Path, demo: Product):
    product = copy_demo(small_disk / "product", demo.keys)
    complains(product.run("build"), 75, "free disk", f"GB are free in {small_disk}")
    assert not (product.folder / "build" / "bitbake-qemu-amd64" / "tmp").exists()


def test_a_full_disk_while_assembling(demo: Product, small_disk: Path):
    product = copy_demo(small_disk / "product", demo.keys)
    (product.folder / "build").mkdir()
    (product.folder / "build" / "bitbake-qemu-amd64").symlink_to(demo.folder / "build" / "bitbake-qemu-amd64")
    stamp = (demo.folder / "build" / "stamp-qemu-amd64.json").read_text()
    (product.folder / "build" / "stamp-qemu-amd64.json").write_text(stamp)
    complains(product.run("build"), 75)
    store = product.folder / ".pycontainer" / "store"
    if store.exists():
        assert fsck(Store.open(store)).whole
    subprocess.run(["mount", "-o", "remount,size=600m", str(small_disk)], check=True)
    assert product.build()["bitbakeTasks"] == 0


@pytest.mark.slow
def test_a_build_that_is_interrupted_goes_on_where_it_was(fresh: Product):
    """Ctrl-C while BitBake works: exit 130, no BitBake left behind, and the next run finishes the job."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", "build", "--plain", str(fresh.folder)],
        cwd=REPOSITORY, env=os.environ | fresh.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    events = fresh.folder / "build" / "bitbake-qemu-amd64" / "events.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (events.exists() and b'"started"' in events.read_bytes()):
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert "the build was stopped" in out
    assert "Traceback" not in out
    assert at_work_in(fresh.folder) == []
    assert fresh.build()["unchanged"] is False


@pytest.mark.slow
def test_a_killed_build_leaves_no_bitbake_and_no_lock(fresh: Product):
    """kill -9 of the command: kas and BitBake end by themselves, until then the folder stays held."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", "build", "--plain", str(fresh.folder)],
        cwd=REPOSITORY, env=os.environ | fresh.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    events = fresh.folder / "build" / "bitbake-qemu-amd64" / "events.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (events.exists() and b'"started"' in events.read_bytes()):
        time.sleep(0.2)
    process.kill()
    process.wait()
    assert events.exists(), "it was killed before BitBake began"
    deadline = time.monotonic() + 90
    while (done := fresh.run("build", "--machine", "qemu-amd64", "--json")).code == 75:
        assert "a killed build is still ending" in done.out, done.out
        assert time.monotonic() < deadline, "the folder stays held: " + ", ".join(at_work_in(fresh.folder))
        time.sleep(1)
    assert done.code == 0, done.out + done.err
    assert done.json["unchanged"] is False
    assert at_work_in(fresh.folder) == []
