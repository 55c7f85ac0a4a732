# SPDX-License-Identifier: MIT
"""A distribution's own init gets what it needs, and the audit says so."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigError
from orchestrator.layers.audit import relaxations
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.init import detect_init
from orchestrator.layers.nodes import BytesContent, File, Symlink
from orchestrator.layers.options import RunOptions, Tmpfs, Volume
from orchestrator.layers.runconfig import make_run_config
from orchestrator.layers.tree import Tree


def distribution(target: bytes = b"/usr/lib/systemd/systemd") -> Tree:
    tree = Tree()
    program = File(mode=0o755, content=BytesContent(b"\x7fELF"))
    tree.add(b"/bin", Symlink(mode=0o777, target=b"usr/bin"))
    tree.add(b"/sbin", Symlink(mode=0o777, target=b"usr/sbin"))
    for path in (b"/usr/bin/sh", b"/usr/lib/systemd/systemd", b"/usr/bin/busybox", b"/usr/sbin/openrc-init"):
        tree.add(path, program)
    tree.add(b"/usr/sbin/init", Symlink(mode=0o777, target=target))
    return tree


def run(tree, image=None, **options):
    chosen = RunOptions(name="os", seccomp="unconfined", **options)
    return make_run_config(image or ImageConfig(), chosen, tree, architecture="amd64", profile={})


def mount(run, destination):
    return next(each for each in run.config["mounts"] if each["destination"] == destination)


@pytest.mark.parametrize(
    ("target", "name", "signal"),
    [
        (b"../lib/systemd/systemd", "systemd", 37),
        (b"openrc-init", "openrc", 15),
        (b"/bin/busybox", "busybox", 12),
    ],
)
def test_each_init_is_recognised_and_stopped_by_its_own_signal(target, name, signal):
    tree = distribution(target)
    assert detect_init(tree) == name
    made = run(tree, init=name)
    assert made.stop_signal == signal
    assert made.config["process"]["args"][-1] == "/sbin/init"
    assert "rw" in mount(made, "/sys/fs/cgroup")["options"]


def test_an_unknown_init_is_not_guessed():
    assert detect_init(distribution(b"/usr/bin/tini")) is None
    assert detect_init(distribution(b"/usr/sbin/init")) is None


def test_the_wrong_name_is_answered_with_the_right_one():
    with pytest.raises(ConfigError) as caught:
        run(distribution(b"/bin/busybox"), init="systemd")
    assert caught.value.hint == "write 'init: busybox'"


def test_an_init_runs_as_root():
    with pytest.raises(ConfigError, match="as nobody"):
        run(distribution(), init="systemd", user="nobody")


def test_systemd_finds_a_machine_id_that_is_not_in_the_image():
    tree = distribution()
    tree.add(b"/etc/machine-id", File(mode=0o444, content=BytesContent(b"0" * 32 + b"\n")))
    made = run(tree, init="systemd")
    assert tree.get(b"/etc/machine-id").content.data == b""
    assert mount(made, "/etc/machine-id")["source"] == "/run/pycontainer/machine-id/os"
    assert "ro" in mount(made, "/etc/machine-id")["options"]


def test_the_journal_goes_to_the_log_unless_the_image_has_another_way():
    tree = distribution()
    run(tree, init="systemd")
    assert tree.get(b"/etc/systemd/system/sysinit.target.wants/pycontainer-log.service") is not None
    own = distribution()
    own.add(b"/etc/systemd/system/pycontainer-log.service", File(mode=0o644, content=BytesContent(b"mine")))
    run(own, init="systemd")
    assert own.get(b"/etc/systemd/system/pycontainer-log.service").content.data == b"mine"


def test_what_the_product_mounts_is_not_mounted_over():
    made = run(
        distribution(),
        init="systemd",
        volumes=(Volume("var", "/var"),),
        tmpfs=(Tmpfs("/tmp", 4096),),
    )
    places = [each["destination"] for each in made.config["mounts"]]
    assert "/var/log" not in places and "/run" in places
    assert "size=4096" in mount(made, "/tmp")["options"]


def test_an_image_and_a_product_have_the_last_word():
    made = run(
        distribution(),
        ImageConfig(stop_signal="SIGPWR"),
        init="systemd",
        environment={"container": "mine"},
        command=("/bin/sh",),
    )
    assert made.stop_signal == 30
    assert "container=mine" in made.config["process"]["env"]
    assert made.config["process"]["args"][-1] == "/bin/sh"


def test_privileges_stay_few_and_the_audit_lists_them():
    made = run(distribution(), init="systemd")
    kept = set(made.config["process"]["capabilities"]["bounding"])
    assert not kept & {
        "CAP_SYS_ADMIN",
        "CAP_NET_ADMIN",
        "CAP_SYS_PTRACE",
        "CAP_MKNOD",
        "CAP_SYS_MODULE",
        "CAP_SYS_BOOT",
    }
    assert made.config["process"]["noNewPrivileges"] is True
    found = relaxations(RunOptions(name="os", init="systemd", capabilities=("CAP_KILL",), reasons={"KILL": "ours"}))
    assert {f"CAP_{each.what.split()[-1]}" for each in found if "capability" in each.what} == kept
    assert [each.reason for each in found if each.what.endswith(" KILL")] == ["ours"]
    assert any("control groups" in each.what for each in found)
    assert all(each.reason for each in found)


def test_without_an_init_nothing_is_different():
    made = run(distribution(), command=("/bin/sh",))
    assert "ro" in mount(made, "/sys/fs/cgroup")["options"]
    assert made.config["process"]["capabilities"]["bounding"] == []
