# SPDX-License-Identifier: MIT
"""systemd, OpenRC and BusyBox boot as a container's own init, and one app is the same under crun and LXC."""

from __future__ import annotations

import re

import pytest

from tests.integration.distributions.running import Running

SYSTEMD = ["debian", "debian-lxc"]
BOTH = ["app", "app-lxc"]


def booted(running: Running, name: str) -> None:
    words = ("systemctl", "is-system-running")
    running.until(lambda: running.inside(name, *words, check=False).strip() in ("running", "degraded"), "booted")


@pytest.mark.parametrize("name", SYSTEMD)
def test_systemd_reaches_its_running_state(running: Running, name: str) -> None:
    booted(running, name)
    failed = running.inside(name, "systemctl", "list-units", "--failed", "--no-legend", "--plain")
    assert (running.inside(name, "systemctl", "is-system-running", check=False).strip(), failed) == ("running", "")


@pytest.mark.parametrize("name", SYSTEMD)
def test_a_unit_is_ended_at_its_own_memory_limit(running: Running, name: str) -> None:
    booted(running, name)
    running.shell(name, "systemd-run --wait -q -u hungry -p MemoryMax=8M sh -c 'x=a; while :; do x=$x$x; done'")
    words = ("journalctl", "-u", "hungry", "-o", "cat")
    running.until(lambda: "Failed with result 'oom-kill'" in running.inside(name, *words, check=False), "ended", 120)
    assert running.state(name)["state"] == "running"


@pytest.mark.parametrize("name", SYSTEMD)
def test_the_containers_own_limits_are_out_of_its_reach(running: Running, name: str) -> None:
    said = running.shell(name, "echo max >/sys/fs/cgroup/memory.max || echo refused")
    assert "refused" in said


@pytest.mark.parametrize("name", SYSTEMD)
def test_the_journal_is_in_the_containers_log(running: Running, name: str) -> None:
    booted(running, name)
    running.shell(name, "logger -t probe 'a word in the journal'")
    running.until(lambda: "a word in the journal" in running.logs(name), "in the log", 60)


def test_each_container_has_a_machine_id_of_its_own(running: Running) -> None:
    found = [running.inside(name, "cat", "/etc/machine-id").strip() for name in SYSTEMD]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in found) and found[0] != found[1]


@pytest.mark.parametrize("name", [*SYSTEMD, "box", "box-lxc", "rpm"])
def test_an_init_is_confined(running: Running, name: str) -> None:
    status = running.inside(name, "cat", "/proc/1/status")
    bounding = int(re.findall(r"^CapBnd:\s+(\S+)", status, re.M)[0], 16)
    assert bounding & (1 << 21 | 1 << 12 | 1 << 16 | 1 << 19) == 0  # SYS_ADMIN, NET_ADMIN, SYS_MODULE, SYS_PTRACE
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M)
    assert "refused" in running.shell(name, "echo x >/proc/sys/kernel/hostname || echo refused")
    assert "refused" in running.shell(name, "mount -t tmpfs x /tmp || echo refused")


def test_openrc_starts_its_services_from_packages_of_rpm(running: Running) -> None:
    running.until(lambda: "answer has started" in running.logs("rpm"), "started", 120)
    assert "openrc-init" in running.shell("rpm", "ls -l /proc/1/exe")
    assert "started" in running.inside("rpm", "/sbin/rc-service", "answer", "status")
    assert running.shell("rpm", "ls /var/lib/rpm").split()


def test_openrc_has_a_control_group_with_a_limit(running: Running) -> None:
    running.until(lambda: "answer has started" in running.logs("rpm"), "started", 120)
    assert running.shell("rpm", "cat /sys/fs/cgroup/limited/memory.max").strip() == "8388608"


@pytest.mark.parametrize("name", ["box", "box-lxc"])
def test_busybox_init_starts_what_its_table_says(running: Running, name: str) -> None:
    running.until(lambda: "box starts" in running.logs(name), "started", 60)
    assert "httpd" in running.inside(name, "ps")


def test_an_app_is_the_same_under_both_runtimes(running: Running) -> None:
    script = (
        "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; pwd; umask; ulimit -n; ulimit -c;"
        "echo $COLOUR $HOME $PATH; for f in pids.max memory.max cpu.max; do cat /sys/fs/cgroup/$f; done;"
        "for w in / /proc/sys/x /sys/x /dev/shm/x /data/x /tmp/x; do echo x >$w/x 2>/dev/null || echo x >$w 2>/dev/null"
        " && echo writes $w; done; head -c 1 /proc/kcore; head -c 1 /proc/keys; ls /sys/firmware;"
        "for n in null zero full random urandom tty; do stat -c '%n %t %T %a' /dev/$n; done;"
        "while read -r a b c d e; do case $b in /dev|/tmp|/data|/proc|/sys) echo $b $c $d;; esac; done"
        " </proc/self/mounts;"
        "sed -n 's/:.*//p' /proc/net/dev"
    )
    crun, lxc = (running.shell(name, script).replace(f"{name}\n", "") for name in BOTH)
    assert "CapBnd:\t0000000000000000" in crun and "writes /data/x" in crun
    assert differing(crun) == differing(lxc)


def differing(text: str) -> list[str]:
    """What was said, without what may differ: LXC's own /dev below the one in use, and when times are kept."""
    lines = [re.sub(r",?(relatime|noatime|strictatime|inode64)\b", "", line) for line in text.splitlines()]
    return sorted({line for line in lines if not line.startswith("/dev tmpfs rw,size=64k")})


@pytest.mark.parametrize("name", BOTH)
def test_an_app_is_checked_entered_and_seen_under_both(running: Running, name: str) -> None:
    running.until(lambda: running.state(name)["health"] == "healthy", "healthy", 120)
    assert running.device("exec", name, "--", "/bin/sh", "-c", "exit 7", check=False).code == 7
    assert "app starts as 1000" in running.logs(name)
    # Nothing that the supervisor has open comes in with the program.
    opened = running.inside(name, "/bin/sh", "-c", "ls -l /proc/self/fd")
    assert not re.search(r"-> /dev/(?!null)|socket:", opened), opened


def test_an_end_under_lxc_is_told_as_it_was(running: Running) -> None:
    assert "container once-lxc: exited with status 0, done" in running.console
    assert running.state("once-lxc")["state"] == "done"


@pytest.mark.parametrize("name", [*BOTH, "box", "box-lxc", "rpm", *SYSTEMD])
def test_each_stops_in_order_and_starts_again(running: Running, name: str) -> None:
    running.device("stop", name)
    line = next(line for line in reversed(running.console.splitlines()) if f"container {name}: stopped" in line)
    assert "after its time was up" not in line
    assert "exited with status 0" in line or (name == "rpm" and "killed by signal 2" in line)
    running.device("start", name)
    running.until(lambda: running.state(name)["state"] == "running", "running again", 60)
