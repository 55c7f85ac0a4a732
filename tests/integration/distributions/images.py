# SPDX-License-Identifier: MIT
"""Root file systems that are not Debian's, made of what the archive has: their programs are Debian's, no more.

`rpm_openrc`: packages built by rpmbuild and installed by rpm into an empty root, so that the package database is RPM's
own, with OpenRC as init and BusyBox as userland; no dpkg, no systemd. `busybox`: one static program and its init.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_SERVICE = """\
#!/sbin/openrc-run
description="Answers on a port"
command="/bin/busybox"
command_args="httpd -f -p 8000 -h /srv"
command_background=true
pidfile="/run/answer.pid"

start_post() { echo "answer has started" >/proc/1/fd/1; }
stop_post() { echo "answer has stopped" >/proc/1/fd/1; }
"""
_GROUPS = """\
#!/sbin/openrc-run
description="A control group with a limit of its own"

start() {
    mkdir /sys/fs/cgroup/services /sys/fs/cgroup/limited
    while read -r process; do echo "$process" >/sys/fs/cgroup/services/cgroup.procs; done </sys/fs/cgroup/cgroup.procs
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control && echo 8388608 >/sys/fs/cgroup/limited/memory.max
}
"""
_INITTAB = """\
::sysinit:/bin/echo box starts
::respawn:/bin/httpd -f -p 8000 -h /
::shutdown:/bin/echo box stops
"""
_APPLETS = ("sh", "cat", "echo", "sleep", "mkdir", "rm", "ls", "kill", "ps", "sed", "grep", "awk", "mount", "umount",
            "id", "hostname", "sync", "dd", "true", "httpd", "ln", "mkfifo", "halt", "poweroff", "uname", "head",
            "stat")  # fmt: skip


def rpm_openrc(folder: Path) -> Path:
    """Return an OCI image, named 1, of a root that rpm installed: c-library, busybox, openrc, and their database."""
    parts = {name: folder / "parts" / name for name in ("c-library", "busybox", "openrc")}
    for path in parts.values():
        path.mkdir(parents=True)
    _download(folder, parts["openrc"], "openrc", "libeinfo1", "librc1")
    _busybox(parts["busybox"])
    openrc = parts["openrc"]
    shutil.rmtree(openrc / "usr/share", ignore_errors=True)
    programs = [
        openrc / "sbin" / name for name in ("openrc", "openrc-init", "openrc-run", "rc-service", "supervise-daemon")
    ]
    _libraries(programs, openrc, parts["c-library"])
    (openrc / "sbin/init").symlink_to("openrc-init")
    shutil.rmtree(openrc / "etc/init.d")
    shutil.rmtree(openrc / "etc/runlevels")
    for level in ("sysinit", "boot", "default", "shutdown"):
        (openrc / "etc/runlevels" / level).mkdir(parents=True)
    (openrc / "etc/init.d").mkdir()
    for name, text, level in (("answer", _SERVICE, "default"), ("groups", _GROUPS, "boot")):
        (openrc / "etc/init.d" / name).write_text(text)
        (openrc / "etc/init.d" / name).chmod(0o755)
        (openrc / "etc/runlevels" / level / name).symlink_to(f"/etc/init.d/{name}")
    (openrc / "srv").mkdir()
    root = folder / "root"
    for name in ("dev", "proc", "sys", "run", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=rpm-openrc\nNAME="RPM tree with OpenRC"\n')
    packages = [_package(folder, name, path) for name, path in parts.items()]
    database = ("--root", str(root), "--dbpath", "/var/lib/rpm")
    subprocess.run(["rpm", *database, "--initdb"], check=True)
    subprocess.run(["rpm", *database, "-i", "--nodeps", "--noscripts", *packages], check=True)
    listed = subprocess.run(["rpm", *database, "-qa"], check=True, capture_output=True, text=True).stdout.split()
    assert sorted(re.sub(r"-1.*", "", each) for each in listed) == ["busybox", "c-library", "openrc"], listed
    return _image(_tar(root, folder / "rpm-openrc.tar"), folder / "rpm-openrc")


def _image(tar: Path, layout: Path) -> Path:
    """Return an OCI layout that umoci made, with the image 1 of one OCI layer."""
    image = f"{layout}:1"
    for words in (
        ("init", "--layout", str(layout)),
        ("new", "--image", image),
        ("raw", "add-layer", "--image", image, str(tar)),
        ("config", "--image", image, "--os", "linux", "--architecture", "amd64"),
    ):
        subprocess.run(["umoci", *words], check=True, capture_output=True)
    return layout


def busybox(folder: Path) -> Path:
    """Return a root with BusyBox alone, its init and an inittab(5)."""
    root = folder / "busybox"
    _busybox(root)
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "sbin", "data"):
        (root / name).mkdir()
    (root / "sbin/init").symlink_to("/bin/busybox")
    (root / "etc/inittab").write_text(_INITTAB)
    return root


def _busybox(root: Path) -> None:
    (root / "bin").mkdir(parents=True)
    program = shutil.which("busybox")
    assert program
    shutil.copy(program, root / "bin/busybox")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")


def _download(folder: Path, into: Path, *names: str) -> None:
    debs = folder / "debs"
    debs.mkdir()
    subprocess.run(["apt-get", "download", "-q", *names], cwd=debs, check=True, capture_output=True)
    for path in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", path, into], check=True)


def _libraries(programs: list[Path], own: Path, into: Path) -> None:
    """Copy the libraries of this machine that programs need, and are not among their own."""
    folders = ":".join(str(path) for path in own.glob("lib/*-linux-gnu"))
    for program in programs:
        listed = subprocess.run(
            ["ldd", program],
            check=True,
            capture_output=True,
            text=True,
            env={"LD_LIBRARY_PATH": folders, "PATH": "/usr/bin:/bin"},
        )
        for path in map(Path, re.findall(r"(/\S+) \(0x", listed.stdout)):
            if not path.is_relative_to(own):
                target = into / str(path).lstrip("/").removeprefix("usr/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)


def _package(folder: Path, name: str, tree: Path) -> Path:
    """Return an RPM of a tree's files, links and folders."""
    spec = folder / f"{name}.spec"
    spec.write_text(
        f"Name: {name}\nVersion: 1\nRelease: 1\nSummary: {name} of the archive\nLicense: see its sources\n"
        "AutoReqProv: no\n%define __os_install_post %{nil}\n%define debug_package %{nil}\n"
        "%define _build_id_links none\n%description\nFor a test.\n"
        f"%install\nmkdir -p %{{buildroot}}\ncp -a {tree}/. %{{buildroot}}/\n%files\n"
        + "".join(f"/{path.name}\n" for path in sorted(tree.iterdir()))
    )
    argv = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}/rpmbuild", "--nodeps", spec]
    subprocess.run(argv, check=True, capture_output=True)
    return next((folder / "rpmbuild/RPMS").glob(f"*/{name}-1-1.*.rpm"))


def _tar(root: Path, target: Path) -> Path:
    subprocess.run(
        ["tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-C", root, "-cf", target, "."], check=True
    )
    return target
