# SPDX-License-Identifier: MIT
"""Ways to run tasks that the Debian base does not use today: fakeroot, restored tasks, dry runs, errors in recipes."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration

FAKEROOT = """\
#!/bin/sh
# Stands in for pseudo: notes how it is called, runs the command (if any) with a mark in the environment.
echo "$@" >> OUT/fakeroot-calls
[ "$1" = -S ] && exit 0
FAKEROOT_MARK=worker exec "$@"
"""


def test_a_fakeroot_task_runs_in_a_worker_under_the_fakeroot_command(build):
    build.write("fakeroot", FAKEROOT.replace("OUT", str(build.out)))
    (build.folder / "fakeroot").chmod(0o755)
    build.write("conf/local.conf", 'FAKEROOTCMD = "${TOPDIR}/fakeroot"\nFAKEROOTBASEENV = "BASE=base"\n')
    build.recipe(
        "rooted",
        """
FAKEROOTENV = "STATE=recipe"
FAKEROOTDIRS = "${TOPDIR}/fakeroot-state"
FAKEROOTNOENV = "STATE=off"
do_fake() {
    env > ${OUT}/fake
}
do_fake[fakeroot] = "1"
do_plain() {
    env > ${OUT}/plain
}
addtask fake before do_build
addtask plain before do_build
""",
    )
    run = build.run("rooted")
    assert run.status == 0, run.text
    calls = (build.out / "fakeroot-calls").read_text().splitlines()
    assert "bitbake-worker" in calls[0] and calls[0].endswith("decafbadbeef")
    assert calls[1:] == ["-S"]
    assert "STATE=recipe\n" in (build.out / "fake").read_text()
    assert "STATE" not in (build.out / "plain").read_text()
    assert (build.folder / "fakeroot-state").is_dir()
    assert build.processes() == []


RESTORABLE = """
do_make() {
    echo made >> ${OUT}/log
}
addtask make before do_build
SSTATETASKS = "do_make"
python do_make_setscene() {
    from pathlib import Path
    with Path(d.getVar("OUT"), "log").open("a") as log:
        log.write("restored\\n")
    if Path(d.getVar("OUT"), "spoilt").exists():
        bb.fatal("the archive is spoilt")
}
addtask do_make_setscene
"""
HASH_CHECK = """
BB_HASHCHECK_FUNCTION = "everything_is_there"
def everything_is_there(sq_data, d, siginfo=False, currentcount=0, summary=True, **kwargs):
    return set(sq_data["hash"])
"""


def test_a_task_that_can_be_restored_is_not_run(build):
    build.write("conf/local.conf", 'INHERIT += "there"\n')
    build.write("classes/there.bbclass", HASH_CHECK)
    build.recipe("made", RESTORABLE)
    run = build.run("made")
    assert run.status == 0, run.text
    assert (build.out / "log").read_text() == "restored\n"


def test_a_task_that_cannot_be_restored_is_run_with_a_warning_and_the_build_succeeds(build):
    build.write("conf/local.conf", 'INHERIT += "there"\n')
    build.write("classes/there.bbclass", HASH_CHECK)
    build.recipe("made", RESTORABLE)
    build.out.mkdir()
    (build.out / "spoilt").touch()
    run = build.run("made")
    assert (build.out / "log").read_text() == "restored\nmade\n"
    assert "real task will be run instead" in run.text
    assert ("made", "succeeded") in run.states("do_make")


def test_a_dry_run_runs_nothing(build):
    build.recipe("dry", "do_touch() {\n    touch ${OUT}/touched\n}\naddtask touch before do_build\n")
    run = build.run("-n", "dry")
    assert run.status == 0, run.text
    assert not (build.out / "touched").exists()


def test_a_mistake_in_a_recipe_names_its_file_and_fails(build):
    build.recipe("broken", "this is no recipe\n")
    run = build.run("broken")
    assert run.status == 1
    assert "recipes/broken.bb" in run.text
    assert "Traceback" not in run.text


def test_an_unknown_recipe_fails_with_its_name(build):
    build.recipe("known", "")
    run = build.run("unknown")
    assert run.status == 1
    assert "Nothing PROVIDES 'unknown'" in run.text
    assert run.events[-1] == {"event": "exit", "status": 1}
