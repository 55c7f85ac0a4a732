# SPDX-License-Identifier: MIT
"""What a task finds around it, and how its end is told."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_a_build_runs_shell_and_python_tasks_and_reports_each_as_an_event(build):
    build.recipe(
        "hello",
        """
do_shell() {
    echo from the shell > ${OUT}/shell
}
python do_py() {
    from pathlib import Path
    Path(d.getVar("OUT"), "python").write_text("from python")
}
addtask shell before do_build
addtask py after do_shell before do_build
""",
    )
    run = build.run("hello")
    assert run.status == 0, run.text
    assert (build.out / "shell").read_text() == "from the shell\n"
    assert (build.out / "python").read_text() == "from python"
    assert run.events[0] == {"event": "start", "pid": run.process.pid}
    assert run.events[-1] == {"event": "exit", "status": 0}
    assert run.states("do_shell") == [("hello", "started"), ("hello", "succeeded")]
    assert run.states("do_py") == [("hello", "started"), ("hello", "succeeded")]
    assert build.processes(patience=0) == [], "the build directory is free as soon as bitbake has returned"
    assert not (build.folder / "bitbake.sock").exists()
    again = build.run("hello")
    assert again.status == 0
    assert again.states("do_shell") == [("hello", "skipped")]


def test_a_task_sees_its_umask_its_exports_no_terminal_and_its_own_session(build):
    build.write("conf/local.conf", 'BB_DEFAULT_UMASK = "027"\nexport GREETING = "hello world"\nNOT_EXPORTED = "x"\n')
    build.recipe(
        "facts",
        """
do_default() {
    umask > ${OUT}/default
    env > ${OUT}/env
    readlink /proc/self/fd/0 > ${OUT}/stdin
}
do_own() {
    umask > ${OUT}/own
    echo "$LATER" > ${OUT}/later
}
do_own[umask] = "077"
do_own[exports] = "LATER"
LATER = "only here"
python do_session() {
    import os
    from pathlib import Path
    Path(d.getVar("OUT"), "session").write_text(f"{os.getsid(0) == os.getpid()} {len(os.listdir('/proc/self/fd'))}")
}
addtask default before do_build
addtask own before do_build
addtask session before do_build
""",
    )
    run = build.run("facts", SECRET="unapproved", LANG="de_DE")
    assert run.status == 0, run.text
    read = {path.name: path.read_text() for path in build.out.iterdir()}
    assert read["default"].strip() == "0027"
    assert read["own"].strip() == "0077"
    assert read["stdin"].strip() == "/dev/null"
    assert read["later"].strip() == "only here"
    assert "GREETING=hello world\n" in read["env"]
    assert "NOT_EXPORTED" not in read["env"] and "SECRET" not in read["env"] and "LANG=" not in read["env"]
    assert read["session"].split()[0] == "True"


def test_only_a_task_with_the_network_flag_keeps_the_network(build):
    build.recipe(
        "net",
        """
do_on() {
    readlink /proc/self/ns/net > ${OUT}/on
}
do_on[network] = "1"
do_off() {
    readlink /proc/self/ns/net > ${OUT}/off
    cat /proc/net/dev | grep -v lo: | grep : > ${OUT}/interfaces || true
}
addtask on before do_build
addtask off before do_build
""",
    )
    run = build.run("net")
    assert run.status == 0, run.text
    here = str(Path("/proc/self/ns/net").readlink())
    assert (build.out / "on").read_text().strip() == here
    if (build.out / "off").read_text().strip() == here:
        pytest.skip("this kernel lets nobody make user namespaces: no task can be cut off")
    assert (build.out / "interfaces").read_text() == ""


def test_a_failing_task_fails_the_build_and_shows_the_end_of_its_log(build):
    build.recipe(
        "bad",
        """
do_bad() {
    echo the reason
    exit 7
}
addtask bad before do_build
""",
    )
    run = build.run("bad")
    assert run.status == 1
    assert "| the reason" in run.text
    assert "Summary: 1 task failed:" in run.text
    failed = [event for event in run.events if event.get("state") == "failed"]
    assert [(event["recipe"], event["task"]) for event in failed] == [("bad", "do_bad")]
    assert "the reason" in Path(failed[0]["log"]).read_text()
    assert run.events[-1] == {"event": "exit", "status": 1}


KILLED = """
python do_killed() {
    import os
    os.kill(os.getpid(), 9)
}
addtask killed before do_build
"""


def test_a_killed_task_is_a_failure_with_status_137(build):
    build.recipe("killed", KILLED)
    build.recipe("other", "do_build[depends] = 'killed:do_build'\n")
    run = build.run("other")
    assert run.status == 1
    assert "failed with exit code '137'" in run.text
    assert run.states("do_killed") == [("killed", "started"), ("killed", "failed")]
    started, failed = (event for event in run.events if event.get("task") == "do_killed")
    assert (failed["pid"], failed["log"]) == (started["pid"], started["log"])
    assert run.states("do_build") == []
    assert build.processes() == []


def test_with_k_everything_that_can_be_built_is_built_and_the_status_is_still_1(build):
    build.recipe("killed", KILLED)
    build.recipe(
        "good",
        """
do_slow() {
    sleep 1
}
do_last() {
    touch ${OUT}/last
}
addtask slow
addtask last after do_slow before do_build
""",
    )
    assert build.run("-k", "killed", "good").status == 1
    assert (build.out / "last").exists()


def test_events_that_hold_the_protocols_own_tags_arrive_whole(build):
    build.recipe(
        "tags",
        """
python do_tags() {
    bb.warn("a</event>b<event>c</exitcode>d")
    bb.warn("</event>" * 2000)
}
addtask tags before do_build
""",
    )
    run = build.run("tags")
    assert run.status == 0, run.text
    texts = [event["text"] for event in run.events if event["event"] == "log"]
    assert "WARNING: tags do_tags: a</event>b<event>c</exitcode>d" in texts
    assert "WARNING: tags do_tags: " + "</event>" * 2000 in texts
    assert max(map(len, run.text.splitlines())) < 64 << 10, "kas cannot read longer lines"


def test_a_burst_of_a_megabyte_of_events_does_not_block_the_commands_that_arrive_meanwhile(build):
    build.recipe(
        "burst",
        """
python do_burst() {
    for number in range(1000):
        bb.warn("%04d " % number + "x" * 1024)
}
addtask burst before do_build
""",
    )
    for number in range(20):
        build.recipe(f"small{number}", "do_small() {\n    :\n}\naddtask small before do_build\n")
    run = build.run("burst", *(f"small{number}" for number in range(20)))
    assert run.status == 0, run.text[-3000:]
    numbers = [int(event["text"].split()[3]) for event in run.events if "xxxx" in event.get("text", "")]
    assert numbers == list(range(1000))
    assert len([state for state in run.states("do_small") if state[1] == "succeeded"]) == 20


def test_tasks_of_two_multiconfigs_depend_on_each_other(build):
    build.write("conf/local.conf", 'BBMULTICONFIG = "other"\nFLAVOUR = "plain"\n')
    build.write("conf/multiconfig/other.conf", 'FLAVOUR = "spicy"\n')
    build.recipe(
        "part",
        """
do_make() {
    echo ${FLAVOUR} >> ${OUT}/order
}
addtask make before do_build
""",
    )
    build.recipe(
        "whole",
        """
do_take() {
    echo whole ${FLAVOUR} >> ${OUT}/order
}
do_take[mcdepends] = "mc::other:part:do_make"
addtask take before do_build
""",
    )
    run = build.run("whole")
    assert run.status == 0, run.text
    assert (build.out / "order").read_text() == "spicy\nwhole plain\n"
    assert ("mc:other:part", "succeeded") in run.states("do_make")
