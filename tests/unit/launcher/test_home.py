# SPDX-License-Identifier: MIT
"""The private tree with the wheel's library."""

from __future__ import annotations

import os
import pwd
import shutil
import time
from importlib import metadata
from pathlib import Path

import pytest
from pycontainer_bitbake import home
from pycontainer_bitbake.version import SUPPORTED, LauncherError, WheelMissing, require


class Wheel:
    """An installed wheel of two files."""

    def __init__(self, folder: Path, version: str = SUPPORTED) -> None:
        self.version, self.folder = version, folder
        self.files = {"bb/__init__.py": b"__version__ = '2.19.0'\n", "bb/sub/code.py": b"x = 1\n"}
        for path, data in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        rows = [f"{path},sha256={home._digest(data)},{len(data)}" for path, data in self.files.items()]
        self.record = "\n".join([*rows, "bb/__pycache__/x.pyc,,", "bb/../../etc/passwd,sha256=abc,1", "other.py,,"])

    def read_text(self, _name):
        return self.record

    def locate_file(self, path):
        return self.folder / path


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    found = Wheel(tmp_path / "site")
    monkeypatch.setattr(metadata, "distribution", lambda _name: found)
    return found


def test_a_home_has_the_programs_beside_the_library(wheel, tmp_path):
    made = home.ensure(tmp_path / "cache")
    assert made.parent == tmp_path / "cache"
    for name in ("bitbake", "bitbake-server", "bitbake-worker"):
        assert os.access(made / "bin" / name, os.X_OK)
    assert (made / "lib/bb/sub/code.py").read_bytes() == b"x = 1\n"
    assert (made / "lib/hashserv/client.py").exists() and (made / "lib/prserv/serv.py").exists()
    assert not (made / "lib/bb/sub/code.py").is_symlink()
    assert list((tmp_path / "cache").iterdir()) == [made]


def test_a_home_is_made_once(wheel, tmp_path):
    made = home.ensure(tmp_path / "cache")
    before = (made / "manifest.json").stat().st_ino
    assert home.ensure(tmp_path / "cache") == made
    assert (made / "manifest.json").stat().st_ino == before


def test_another_content_gets_another_home(wheel, tmp_path):
    first = home.ensure(tmp_path / "cache")
    (wheel.folder / "bb/sub/code.py").write_bytes(b"x = 2\n")
    wheel.record = wheel.record.replace(home._digest(b"x = 1\n"), home._digest(b"x = 2\n"))
    assert home.ensure(tmp_path / "cache") != first


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_home_that_has_lost_a_file_is_made_again(wheel, tmp_path, damage):
    made = home.ensure(tmp_path / "cache")
    victim = made / "lib/bb/sub/code.py"
    victim.unlink() if damage == "missing" else victim.write_bytes(b"")
    assert home.ensure(tmp_path / "cache") == made
    assert victim.read_bytes() == b"x = 1\n"


def test_a_library_file_that_is_not_the_wheels_is_refused(wheel, tmp_path):
    (wheel.folder / "bb/sub/code.py").write_bytes(b"x = 666\n")
    with pytest.raises(LauncherError, match="damaged"):
        home.ensure(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_usable_folder_is_one_clear_error(wheel, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LauncherError, match="cannot make"):
        home.ensure(tmp_path / "file" / "a")


def test_the_leftovers_of_a_killed_maker_go_after_an_hour(wheel, tmp_path):
    old, young = tmp_path / "cache/.bitbake-old", tmp_path / "cache/.bitbake-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    home.ensure(tmp_path / "cache")
    assert not old.exists() and young.exists()


def test_a_home_that_nobody_has_used_for_a_month_goes_and_a_used_one_stays(wheel, tmp_path):
    folder = tmp_path / "cache"
    for name in ("used", "unused"):
        (folder / f"bitbake-{name}").mkdir(parents=True)
        (folder / f"bitbake-{name}/manifest.json").touch()
    (folder / "downloads").mkdir()
    month_ago = (time.time() - 31 * 86400,) * 2
    os.utime(folder / "bitbake-unused/manifest.json", month_ago)
    os.utime(folder / "downloads", month_ago)
    made = home.ensure(folder)
    assert {path.name for path in folder.iterdir()} == {"bitbake-used", "downloads", made.name}
    os.utime(made / "manifest.json", month_ago)
    home.ensure(folder)
    assert (made / "manifest.json").stat().st_mtime > time.time() - 60, "using a home marks it"


@pytest.mark.parametrize("version", ["2.18.0", "2.19.1", "2.19.0.post1", ""])
def test_any_other_version_is_refused(version, tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "distribution", lambda _name: Wheel(tmp_path, version))
    with pytest.raises(LauncherError, match="not supported"):
        home.wheel_files()


def test_a_missing_wheel_is_told_apart_from_a_wrong_one(monkeypatch):
    with pytest.raises(WheelMissing):
        home.wheel_files("a-distribution-that-nobody-has")


def test_the_installed_wheel_is_the_one_that_is_supported_and_as_its_record_says():
    for path, (file, digest) in home.wheel_files().items():
        assert home._digest(file.read_bytes()) == digest, path


def test_an_error_says_what_why_and_what_to_do():
    with pytest.raises(LauncherError) as caught:
        require("1.0")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["error", "why", "to do"]


def test_the_cache_is_where_the_user_has_it(tmp_path):
    xdg, user = tmp_path / "xdg", tmp_path / "user"
    assert home.cache_folder({"XDG_CACHE_HOME": str(xdg), "HOME": str(user)}, tmp_path) == xdg / "pycontainer"
    assert home.cache_folder({"HOME": str(user)}, tmp_path) == user / ".cache/pycontainer"


def test_without_a_home_the_password_database_is_asked(tmp_path, monkeypatch):
    account = pwd.struct_passwd(("me", "x", 1, 1, "", str(tmp_path / "account"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: account)
    assert home.cache_folder({}, tmp_path) == tmp_path / "account/.cache/pycontainer"


@pytest.mark.parametrize("environ", [{"HOME": "/dev/null"}, {}], ids=["unusable", "unknown user"])
def test_an_unusable_cache_gives_way_to_the_build_folder(tmp_path, monkeypatch, environ):
    def nobody(_uid):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert home.cache_folder(environ, tmp_path) == tmp_path


def test_copies_do_not_share_the_wheels_files(wheel, tmp_path):
    made = home.ensure(tmp_path / "cache")
    shutil.rmtree(wheel.folder)
    assert (made / "lib/bb/__init__.py").exists()
