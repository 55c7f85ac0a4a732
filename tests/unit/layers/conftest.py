# SPDX-License-Identifier: MIT
"""What the tests of layers share: a small image tree, and the surroundings of a build with this host's tools."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest

from orchestrator.layers.build import Surroundings
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.nodes import BytesContent, Directory, File, Symlink
from orchestrator.layers.tree import Tree
from orchestrator.run import Tools

EPOCH = 1_700_000_000

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "defaultErrno": "ENOSYS",
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ],
    "syscalls": [
        {
            "names": ["read", "write"],
            "action": "SCMP_ACT_ALLOW",
            "args": [],
            "comment": "",
            "includes": {},
            "excludes": {},
        },
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "includes": {},
            "excludes": {},
            "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
        },
        {
            "names": ["arch_prctl"],
            "action": "SCMP_ACT_ALLOW",
            "args": [],
            "includes": {"arches": ["amd64", "x32"]},
            "excludes": {},
        },
        {
            "names": ["cacheflush"],
            "action": "SCMP_ACT_ALLOW",
            "args": None,
            "includes": {"arches": ["arm", "arm64"]},
            "excludes": {},
        },
        {
            "names": ["chroot"],
            "action": "SCMP_ACT_ALLOW",
            "args": [],
            "includes": {"caps": ["CAP_SYS_CHROOT"]},
            "excludes": {},
        },
        {
            "names": ["chroot"],
            "action": "SCMP_ACT_ERRNO",
            "args": [],
            "includes": {},
            "errnoRet": 1,
            "errno": "EPERM",
            "excludes": {"caps": ["CAP_SYS_CHROOT"]},
        },
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}, "excludes": {}},
        {"names": ["newcall"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.9"}, "excludes": {}},
        {"name": "old", "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "5.0"}},
    ],
}


@pytest.fixture
def profile() -> dict:
    return copy.deepcopy(PROFILE)


@pytest.fixture
def image() -> Tree:
    tree = Tree()
    tree.add(b"bin", Symlink(mode=0o777, target=b"usr/bin"))
    tree.add(b"usr/bin/server", File(mode=0o755, content=BytesContent(b"#!")))
    tree.add(b"usr/bin/data", File(mode=0o644, content=BytesContent(b"no program")))
    tree.add(
        b"usr/share/users",
        File(
            mode=0o644,
            content=BytesContent(
                b"# comment\nroot:x:0:0:root:/root:/bin/sh\nbroken line\n+nis::::::\nwww:x:33:34:web:/var/www:/bin/sh\n"
                b"bad:x:many:1::/:\nwww-data:x:35:35::relative:\n"
            ),
        ),
    )
    tree.add(b"etc/passwd", Symlink(mode=0o777, target=b"/usr/share/users"))
    tree.add(
        b"etc/group",
        File(
            mode=0o644,
            content=BytesContent(b"root:x:0:\nwww:x:34:\nlog:x:50:www,other\nmore:x:51:wwwx\nnumber:x:52:\n"),
        ),
    )
    tree.add(b"var/lib/db", Directory(mode=0o700, uid=26, gid=27))
    return tree


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    if shutil.which("mksquashfs") is None or shutil.which("unsquashfs") is None:
        pytest.skip("squashfs-tools are not installed")
    profile = tmp_path / "seccomp.json"
    profile.write_text(json.dumps(PROFILE))
    return Surroundings(Tools(), LayerCache(tmp_path / "cache"), "amd64", EPOCH, profile)
