# SPDX-License-Identifier: MIT
"""The launcher's home: a folder <home>/{bin,lib} with our programs beside a copy of the wheel's `bb`.

BitBake finds its server and worker at a fixed place relative to its own library (<library>/../bin), which a pip
installation does not have. The copy is made once, named by what is in it, and used from there.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from .version import SUPPORTED, LauncherError, WheelMissing, require

_MANIFEST = "manifest.json"
_STALE_SECONDS = 3600
_UNUSED_SECONDS = 30 * 24 * 3600
_SOURCES = Path(__file__).resolve().parents[2]


def cache_folder(environ: Mapping[str, str], fallback: Path) -> Path:
    """Return the user's cache folder of PyContainer, or `fallback` where it can be neither found nor made.

    The password database serves where HOME is unset.
    """
    try:
        home = environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
        folder = Path(environ.get("XDG_CACHE_HOME") or Path(home) / ".cache") / "pycontainer"
        folder.mkdir(parents=True, exist_ok=True)
    except (KeyError, OSError):
        return fallback
    return folder if os.access(folder, os.W_OK | os.X_OK) else fallback


def wheel_files(distribution: str = "bitbake-setup") -> dict[str, tuple[Path, str]]:
    """Return the wheel's library: relative path -> (installed file, its SHA-256 by the wheel's RECORD, base64).

    Raises WheelMissing without the wheel and LauncherError on another version or a RECORD without the library.
    """
    try:
        wheel = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise WheelMissing(
            "BitBake is missing",
            f"no Python that was tried has the package {distribution}",
            f"run: pip install {distribution}=={SUPPORTED}",
        ) from None
    require(wheel.version)
    found = {}
    for path, digest, _size in csv.reader((wheel.read_text("RECORD") or "").splitlines()):
        if path.startswith("bb/") and ".." not in path.split("/") and digest.startswith("sha256="):
            found[path] = (Path(str(wheel.locate_file(path))), digest.removeprefix("sha256="))
    if "bb/__init__.py" not in found:
        raise _damaged("its RECORD does not list the library")
    return found


def ensure(folder: Path) -> Path:
    """Return a complete home in `folder`, made when missing."""
    files = wheel_files()
    plan = {f"lib/{path}": source for path, (source, _) in files.items()} | _own_files()
    digests = {f"lib/{path}": digest for path, (_, digest) in files.items()}
    key = hashlib.sha256(SUPPORTED.encode())
    for path in sorted(plan):
        key.update(f"{path}\0{digests.get(path) or _digest(plan[path].read_bytes())}\n".encode())
    home = folder / f"bitbake-{SUPPORTED}-{key.hexdigest()[:12]}"
    if _is_complete(home):
        with contextlib.suppress(OSError):  # somebody else's cache is used as it is
            os.utime(home / _MANIFEST)
        return home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _make(home, plan, digests)
    except OSError as error:
        raise LauncherError(
            f"cannot make {home}", str(error), "make the folder writable, or free space on its disk"
        ) from None


def _own_files() -> dict[str, Path]:
    return {
        str(path.relative_to(_SOURCES)): path
        for top in ("bin", "lib")
        for path in sorted((_SOURCES / top).rglob("*"))
        if path.is_file() and (path.suffix == ".py" or (top == "bin" and "." not in path.name))
    }


def _make(home: Path, plan: Mapping[str, Path], digests: Mapping[str, str]) -> Path:
    """Copy everything into a temporary folder beside `home` and rename it there: another maker may win the race."""
    _remove_stale(home.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        sizes = {}
        for path, source in sorted(plan.items()):
            data = source.read_bytes()
            if path in digests and _digest(data) != digests[path]:
                raise _damaged(f"{source} is not the file that its RECORD describes")
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o755 if path.startswith("bin/") else 0o644)
            sizes[path] = len(data)
        (temporary / _MANIFEST).write_text(json.dumps(sizes, sort_keys=True))
        temporary.chmod(0o755)
        if home.exists() and not _is_complete(home):
            home.rename(Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent)) / "damaged")
        try:
            temporary.rename(home)
        except OSError:
            if not _is_complete(home):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return home


def _is_complete(home: Path) -> bool:
    """Whether every file is there in full: a cache cleaner or a power cut may have left a part."""
    try:
        sizes = json.loads((home / _MANIFEST).read_bytes())
        return all((home / path).stat().st_size == size for path, size in sizes.items())
    except (OSError, ValueError):
        return False


def _remove_stale(folder: Path) -> None:
    """Remove what killed makers have left, and homes that no build has asked for in a month."""
    now = time.time()
    for pattern, mark, age in ((".bitbake-*", ".", _STALE_SECONDS), ("bitbake-*", _MANIFEST, _UNUSED_SECONDS)):
        for left in folder.glob(pattern):
            with contextlib.suppress(OSError):
                if (left / mark).stat().st_mtime < now - age:
                    shutil.rmtree(left, ignore_errors=True)


def _digest(data: bytes) -> str:
    """SHA-256 as RECORD writes it: URL-safe base64 without padding (PyPA binary distribution format)."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _damaged(why: str) -> LauncherError:
    return LauncherError(
        "the installed bitbake-setup is damaged",
        why,
        f"run: pip install --force-reinstall --no-deps bitbake-setup=={SUPPORTED}",
    )
