# SPDX-License-Identifier: MIT
"""The storage partition: ext4 made by mke2fs and filled by debugfs, in place in the image, without root or staging.

debugfs and not `mke2fs -d`: it copies each blob once, straight to its place, gives it to root, and behaves alike in all
versions. Its exit status says nothing, so what it made is listed and compared.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import BuildError, ConfigError
from orchestrator.run import Tools, run

LABEL = "pyc-storage"
BLOCK = 4096
"""fs-verity needs the file system's blocks to be pages; mke2fs would choose 1 KiB below 512 MB."""

# metadata_csum_seed and orphan_file are left out: GRUB reads them only with distribution patches. So is dir_index: a
# folder that outgrows its first block then has its names moved to other blocks, and a power cut before all of them are
# written back leaves GRUB, which does not replay the journal, without the kernel. Without it names stay where they are.
_CONFIG = """\
[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,ext_attr
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
	blocksize = 4096
	inode_size = 256
	inode_ratio = 16384
[fs_types]
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize,verity
	}
"""
_SUPERBLOCK = 1024
_MAGIC = 0xEF53
_COMPAT_SPARSE_SUPER2, _RO_COMPAT_SPARSE_SUPER, _INCOMPAT_64BIT = 0x200, 0x1, 0x80
_GROUP_BLOCK_UNINIT = 0x2
_SAFE_NAME = re.compile(r"[A-Za-z0-9._/-]+\Z")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Tree:
    """What storage holds: folders (path -> mode), files (path -> source), symlinks (path -> target); all of root's.

    `names` are more names of files (path -> path of one of `files`). Paths are relative, of letters, digits, dot, dash
    and underscore; parents are named before their children.
    """

    folders: Mapping[str, int]
    files: Mapping[str, Path]
    links: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def make_storage(
    image: Path,
    tree: Tree,
    *,
    start: int,
    size: int,
    fs_uuid: uuid.UUID,
    tools: Tools,
    scratch: Path,
    source_date_epoch: int,
    log: Path | None = None,
) -> None:
    """Make the ext4 file system at byte `start` of `image` with `tree` in it; `scratch` is an empty folder.

    Raises ConfigError when the tree does not fit in `size` bytes (naming what is needed), BuildError when a program
    fails.
    """
    need = sum(-(-path.stat().st_size // BLOCK) for path in tree.files.values()) + len(tree.folders) + len(tree.links)
    if size < need * BLOCK or size < 8 * MIB:
        raise too_small(size, max(need * BLOCK + need * BLOCK // 16, 8 * MIB) + 24 * MIB)
    config = scratch / "mke2fs.conf"
    config.write_text(_CONFIG)
    environment = {"MKE2FS_CONFIG": str(config), "E2FSPROGS_FAKE_TIME": str(source_date_epoch)}
    options = f"offset={start},nodiscard,lazy_itable_init=0,lazy_journal_init=0,hash_seed={fs_uuid},root_owner=0:0"
    run(
        tools.argv("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-O", "verity", "-L", LABEL,
                   "-U", str(fs_uuid), "-m", "1", "-E", options, image, str(size // BLOCK)),
        env=environment, source_date_epoch=source_date_epoch, log=log,
    )  # fmt: skip
    free = Superblock.read(image, start).free_blocks
    # One block in a hundred for extent trees and growing folders; small files never need them.
    shortfall = need + need // 100 + 8 - free
    if shortfall > 0:
        raise too_small(size, size + shortfall * BLOCK)
    _fill(image, tree, start, tools, scratch, environment, log)


def too_small(size: int, need: int) -> ConfigError:
    """The error for a storage size that the revision does not fit in; both in bytes."""
    need_mib = -(-need // MIB)
    return ConfigError(
        "the storage partition is too small for this revision",
        f"it needs at least {need_mib} MiB, the product file gives {size // MIB} MiB",
        f"set image: {{storage: {need_mib}MiB}} or more; an update needs room for a second revision",
    )


def _fill(
    image: Path, tree: Tree, start: int, tools: Tools, scratch: Path, environment: dict[str, str], log: Path | None
) -> None:
    for name in (*tree.folders, *tree.files, *tree.links, *tree.links.values(), *tree.names):
        if not _SAFE_NAME.match(name):
            raise ValueError(f"not a name for storage: {name!r}")
    commands: list[str] = []
    for folder, mode in tree.folders.items():
        commands += [f"mkdir {folder}", f"sif {folder} mode 0{0o040000 | mode:o}"]
    for number, (path, source) in enumerate(sorted(tree.files.items())):
        # debugfs splits its lines at blanks and quotes; a link of our own naming spares any escaping.
        (scratch / f"s{number}").symlink_to(source.absolute())
        commands += [f"write s{number} {path}", f"sif {path} mode 0100444"]
    commands += [f"symlink {path} {target}" for path, target in sorted(tree.links.items())]
    commands += [f"ln {file} {path}" for path, file in sorted(tree.names.items())]
    # `ln` of debugfs leaves the count to its caller.
    commands += [f"sif {file} links_count {1 + more}" for file, more in sorted(Counter(tree.names.values()).items())]
    script = scratch / "debugfs.commands"
    script.write_text("".join(f"{command}\n" for command in commands))
    where = f"{image.absolute()}?offset={start}"
    if "?" in str(image.absolute()):
        raise ConfigError(f"the image's path holds a question mark: {image}", "debugfs would cut it there")
    run(tools.argv("debugfs", "-w", "-f", script, where), cwd=scratch, env=environment, log=log)
    _check(tree, where, tools, scratch, environment, log)


def _check(tree: Tree, where: str, tools: Tools, scratch: Path, environment: dict[str, str], log: Path | None) -> None:
    """Compare names, kinds, modes, sizes and second names of all in storage with what was meant to be there."""
    expected: dict[str, tuple[int, int]] = {
        path: (0o100444, source.stat().st_size) for path, source in tree.files.items()
    }
    expected |= {path: expected[file] for path, file in tree.names.items()}
    expected |= {path: (0o120777, len(target)) for path, target in tree.links.items()}
    expected |= {path: (0o040000 | mode, -1) for path, mode in tree.folders.items()}
    script = scratch / "debugfs.list"
    script.write_text("".join(f"ls -p /{folder}\n" for folder in ("", *tree.folders)))
    listing = run(tools.argv("debugfs", "-f", script, where), cwd=scratch, env=environment, log=log).decode()
    found: dict[str, tuple[int, int]] = {}
    inodes: dict[str, str] = {}
    folder = ""
    for line in listing.splitlines():
        if line.startswith("debugfs: ls -p /"):
            folder = line.removeprefix("debugfs: ls -p /")
        elif line.startswith("/"):
            _, inode, mode_text, _uid, _gid, name, length, *_ = line.split("/")
            if name not in (".", "..", "lost+found"):
                mode = int(mode_text, 8)
                path = f"{folder}/{name}".lstrip("/")
                inodes[path] = inode
                found[path] = (mode, -1 if mode & 0o170000 == 0o040000 else int(length))
    wrong = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    wrong += sorted(path for path, file in tree.names.items() if inodes.get(path) != inodes.get(file))
    if wrong:
        raise BuildError(
            "debugfs did not write the storage partition as told",
            f"differs: {', '.join(wrong[:3])}",
            f"the whole output is in {log}" if log else "",
        )


@dataclass(frozen=True)
class Superblock:
    """The few fields of ext4's superblock that are needed here (Linux Documentation/filesystems/ext4)."""

    blocks: int
    free_blocks: int
    blocks_per_group: int
    inodes_per_group: int
    inode_size: int
    descriptor_size: int
    reserved_descriptor_blocks: int
    sparse: bool

    @classmethod
    def read(cls, image: Path, start: int) -> Superblock:
        """Read the superblock of the file system at byte `start`; raises BuildError when it is none of ours."""
        with image.open("rb") as stream:
            stream.seek(start + _SUPERBLOCK)
            raw = stream.read(1024)
        (magic,) = struct.unpack_from("<H", raw, 0x38)
        (log_block_size,) = struct.unpack_from("<I", raw, 0x18)
        compat, incompat, ro_compat = struct.unpack_from("<III", raw, 0x5C)
        if magic != _MAGIC or 1024 << log_block_size != BLOCK or compat & _COMPAT_SPARSE_SUPER2:
            raise BuildError("the storage partition cannot be read back", "its superblock is not what mke2fs was told")
        blocks_low, _, free_low = struct.unpack_from("<III", raw, 0x4)
        blocks_high, _, free_high = struct.unpack_from("<III", raw, 0x150)
        return cls(
            blocks=blocks_low | blocks_high << 32,
            free_blocks=free_low | free_high << 32,
            blocks_per_group=struct.unpack_from("<I", raw, 0x20)[0],
            inodes_per_group=struct.unpack_from("<I", raw, 0x28)[0],
            inode_size=struct.unpack_from("<H", raw, 0x58)[0],
            descriptor_size=struct.unpack_from("<H", raw, 0xFE)[0] if incompat & _INCOMPAT_64BIT else 32,
            reserved_descriptor_blocks=struct.unpack_from("<H", raw, 0xCE)[0],
            sparse=bool(ro_compat & _RO_COMPAT_SPARSE_SUPER),
        )

    @property
    def groups(self) -> int:
        """Number of block groups."""
        return -(-self.blocks // self.blocks_per_group)


def _holds_superblock(group: int) -> bool:
    """Whether a sparse_super file system keeps a copy in this group: 0, 1 and powers of 3, 5 and 7."""
    if group <= 1:
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def used_blocks(image: Path, start: int) -> bytearray:
    """Return one byte per 4-KiB block of the file system at byte `start`: 1 where ext4 uses it, 0 where it is free.

    Used is more than non-zero: the journal and the inode tables are zero but must be so on the device as well, or what
    an earlier system left there would be taken for theirs.
    """
    superblock = Superblock.read(image, start)
    descriptor_blocks = -(-superblock.groups * superblock.descriptor_size // BLOCK)
    table_blocks = -(-superblock.inodes_per_group * superblock.inode_size // BLOCK)
    used = bytearray(superblock.blocks)

    def mark(first: int, count: int) -> None:
        end = min(first + count, superblock.blocks)
        used[first:end] = b"\1" * max(0, end - first)

    with image.open("rb") as stream:
        stream.seek(start + BLOCK)
        descriptors = stream.read(descriptor_blocks * BLOCK)
        for group in range(superblock.groups):
            first = group * superblock.blocks_per_group
            raw = descriptors[group * superblock.descriptor_size :][: superblock.descriptor_size]
            low = struct.unpack_from("<III", raw, 0)
            high = struct.unpack_from("<III", raw, 0x20) if superblock.descriptor_size >= 64 else (0, 0, 0)
            block_bitmap, inode_bitmap, inode_table = (a | b << 32 for a, b in zip(low, high, strict=True))
            mark(block_bitmap, 1)
            mark(inode_bitmap, 1)
            mark(inode_table, table_blocks)
            if not superblock.sparse or _holds_superblock(group):
                mark(first, 1 + descriptor_blocks + superblock.reserved_descriptor_blocks)
            if struct.unpack_from("<H", raw, 0x12)[0] & _GROUP_BLOCK_UNINIT:
                continue
            stream.seek(start + block_bitmap * BLOCK)
            bitmap = stream.read(superblock.blocks_per_group // 8)
            count = min(superblock.blocks_per_group, superblock.blocks - first)
            bits = bin(int.from_bytes(bitmap, "little") | 1 << len(bitmap) * 8)[:2:-1].encode()
            for offset, bit in enumerate(bits[:count]):
                if bit == 0x31:
                    used[first + offset] = 1
    return used
