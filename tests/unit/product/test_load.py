# SPDX-License-Identifier: MIT
"""The product file: what is right is read, what is wrong is named with file, line and path."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.product import load_product
from orchestrator.product.load import find_product_file, locate
from orchestrator.product.model import Kernel
from orchestrator.revision import boot_env

DEMO = Path(__file__).parents[3] / "examples" / "demo" / "pycontainer.yaml"


@pytest.fixture
def damaged(tmp_path: Path):
    """Load the demo's product file with one piece of text replaced; returns the error."""

    def load(old: str, new: str) -> ConfigError:
        text = DEMO.read_text()
        assert text.count(old) >= 1
        path = tmp_path / "pycontainer.yaml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(ConfigError) as caught:
            load_product(path)
        return caught.value

    return load


def line_of(text: str) -> int:
    return DEMO.read_text()[: DEMO.read_text().index(text)].count("\n") + 1


def test_the_demo_is_read():
    product = load_product(DEMO)
    assert (product.product, product.machine, list(product.layers)) == ("demo", "qemu-amd64", ["rootfs", "web"])
    assert product.layers["web"].memory_bytes == 32 * 2**20
    assert product.start_groups() == {"rootfs": 1, "web": 2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "machine: qemu-amd64",
            "machin: qemu-amd64",
            ["machin: unknown key", "the keys here are: product, version", "did you mean 'machine'"],
        ),
        ("- network: host", "- netwrok: host", ["layers.rootfs.relax[0].netwrok", "did you mean 'network'"]),
        ("product: demo", 'product: "demo\\n"', ["pycontainer.yaml:3: product"]),
        ("kind: app", "kind: ap", ["layers.web.kind", "'ap' is not one of: app, rootfs", "did you mean 'app'"]),
        ("base: debian", "base: debain", ["base", "not one of: debian, yocto", "did you mean 'debian'"]),
        ("product: demo", "product: My Demo", ["product: written wrongly: lower-case letters"]),
        ("- network: host", "- network: hots", ["relax[0].network", "not one of: host", "did you mean 'host'"]),
        ("memory: 32MiB", "memory: 32MiBB", ["layers.web.memory: not a size", "64MiB"]),
        ("memory: 32MiB", "memory: 32kB", ["layers.web.memory: memory must be at least 1MiB"]),
        ("memory: 48MiB", "memory: [1]", ["layers.rootfs.memory: text is expected, not a list"]),
        ("memory: 48MiB", "stopTimeout: soon", ["layers.rootfs.stopTimeout: not a duration"]),
        ("memory: 48MiB", "logs: {maxSize: 1}", ["layers.rootfs.logs.maxSize"]),
        ("memory: 48MiB", "restart: {maxDelay: x}", ["layers.rootfs.restart.maxDelay"]),
        ("memory: 48MiB", "environment: {A: x, PORT: 80}", ["rootfs.environment.PORT: text is expected, not a whole"]),
        ("memory: 48MiB", "pids: 0", ["layers.rootfs.pids: it must be at least 1"]),
        ("memory: 48MiB", "tmpfs: [/a, /b, /a]", ["layers.rootfs.tmpfs[2]: the destination /a is named twice"]),
        ("kind: app", "kind:", ["layers.web.kind: text is expected, not nothing"]),
        ("version: 1.0.0\n", "", ["product: the key 'version' is missing", "needed here: product, version"]),
        ("storage: 512MiB", "storage: 4MiB", ["image.storage: storage must be at least 8MiB"]),
        (
            "after: [rootfs]",
            "after: [rotfs]",
            ["layers.web.after[0]: layer web comes after rotfs", "did you mean 'rootfs'?"],
        ),
        ("after: [rootfs]", "after: [rootfs]\n    group: 1", ["layers.web.group", "starts later"]),
        ("after: [rootfs]", "after: [web]", ["layers.web.after: layers wait", "web after web"]),
        ("  web:", "  host:", ["layers.host", "belongs to the base"]),
        (
            "from: {bitbake: app-nginx}",
            "from: {bitbake: a, tar: b}",
            ["layers.web.from.tar: name exactly one of bitbake, image, tar, directory"],
        ),
        (
            "from: {bitbake: app-nginx}",
            "from: {image: nginx}",
            ["layers.web.from.image: 'nginx' is no reference", "it names no registry", "registry.example/app:1.2"],
        ),
        (
            "from: {bitbake: app-nginx}",
            "from: {image: 'oci:web', platform: arm64}",
            ["layers.web.from.platform: written wrongly", "such as linux/arm64/v8"],
        ),
        (
            "from: {bitbake: app-nginx}",
            "from: {tar: a.tar, platform: linux/arm64}",
            ["layers.web.from.platform: only an image has platforms"],
        ),
        (
            "from: {bitbake: app-nginx}",
            "from: {bitbake: app-nginx, spdx: a.spdx.json}",
            ["layers.web.from.spdx: only a tar or a directory"],
        ),
        ("- {source: www, destination: /srv/www}", "- {source: www, destination: srv}", ["files[0].destination"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_path(damaged, old: str, new: str, words: list[str]):
    error = damaged(old, new)
    for word in words:
        assert word in str(error)
    assert "pycontainer.yaml:" in error.what
    assert error.why
    assert error.hint
    assert "`" not in str(error)
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new"), [("memory: 48MiB", "memory: 48Mb"), ("after: [rootfs]", "after: [rotfs]"), ("kind: app", "kind: 7")]
)
def test_a_wrong_value_has_its_own_line_and_the_line_is_shown(damaged, old: str, new: str):
    error = damaged(old, new)
    assert f"pycontainer.yaml:{line_of(old)}:" in error.what
    assert error.why == f"the line reads: {new}"


@pytest.mark.parametrize("data", [b"", b"- 1\n", b"\xff", b"a: [\n", b"[a]: 1\n", b"a: 1\na: 2\n"])
def test_a_file_that_is_no_product_at_all_is_refused_in_three_lines(tmp_path: Path, data: bytes):
    path = tmp_path / "pycontainer.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_product(path)
    assert str(path) in caught.value.what
    assert caught.value.why
    assert caught.value.hint


def test_a_place_in_a_loaded_file_can_be_named_again():
    assert locate(DEMO, ("layers", "web", "from", "bitbake")).endswith(
        f"pycontainer.yaml:{line_of('from: {bitbake: app-nginx}')}: layers.web.from.bitbake"
    )


def test_the_line_is_that_of_the_wrong_key(damaged):
    error = damaged("memory: 48MiB", "memry: 48MiB")
    assert f"pycontainer.yaml:{line_of('memory: 48MiB')}:" in error.what


@pytest.mark.parametrize("argument", ["\"dyndbg='file a.c +p'\"", "'a\"b'", "a$b", "a*", "a\\b", "(a)"])
def test_a_kernel_argument_that_the_boot_loader_would_change_is_refused_before_anything_is_built(
    damaged, argument: str
):
    error = damaged("layers:\n", f"kernel: {{args: [{argument}]}}\nlayers:\n")
    assert "kernel.args[0]" in error.what


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=3))
def test_product_file_and_boot_loader_agree_on_kernel_arguments(argument: str):
    def accepts(action) -> bool:
        try:
            action()
        except (ConfigError, msgspec.ValidationError):
            return False
        return True

    assert accepts(lambda: msgspec.convert({"args": [argument]}, Kernel)) == accepts(lambda: boot_env([argument]))


def test_a_relaxation_without_a_reason_is_refused(damaged):
    error = damaged("        reason: it serves on the address that the rootfs layer configured\n", "")
    assert "reason" in error.what


def test_a_key_that_stands_twice_is_refused(damaged):
    assert "stands twice" in str(damaged("  web:", "  rootfs:"))


def test_broken_yaml_is_named_with_its_line(damaged):
    error = damaged("    files:", "    files: {")
    assert "not valid YAML" in str(error)


def test_a_version_stays_text(tmp_path: Path):
    path = tmp_path / "pycontainer.yaml"
    path.write_text(DEMO.read_text().replace("version: 1.0.0", "version: 1.10"))
    assert load_product(path).version == "1.10"


def test_aliases_that_multiply_are_refused(tmp_path: Path):
    path = tmp_path / "pycontainer.yaml"
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 9)]
    path.write_text("\n".join(rows))
    with pytest.raises(ConfigError, match="too deeply or too large"):
        load_product(path)


def test_a_folder_without_product_file_says_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigError, match="no product file"):
        find_product_file(tmp_path)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.mktemp("fuzz") / "pycontainer.yaml"
    path.write_bytes(data)
    with pytest.raises(PyContainerError):
        load_product(path)


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_damage_anywhere_is_an_error_of_ours_or_still_a_product(
    tmp_path_factory: pytest.TempPathFactory, where: int, what: int
):
    data = bytearray(DEMO.read_bytes())
    data[where % len(data)] = what % 256
    path = tmp_path_factory.mktemp("fuzz") / "pycontainer.yaml"
    path.write_bytes(bytes(data))
    try:
        load_product(path)
    except PyContainerError as error:
        assert error.exit_code == 2
