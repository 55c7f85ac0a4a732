# SPDX-License-Identifier: MIT
"""BitBake's own output is progress too."""

from __future__ import annotations

from pathlib import Path

from orchestrator.build.console import ConsoleTail
from orchestrator.progress import Silent, Task

OUTPUT = """\
2026-01-02 03:04:05 - INFO     - kas 5.1 started
Parsing of 951 .bb files complete (0 cached, 951 parsed). 1800 targets, 60 skipped, 0 masked, 0 errors.
NOTE: Running task 21 of 222 (/src/meta/recipes-core/zlib/zlib_1.3.bb:do_compile)
NOTE: recipe zlib-native-1.3-r0: task do_compile: Started
NOTE: recipe zlib-native-1.3-r0: task do_compile: Succeeded
NOTE: Running task 22 of 222 (virtual:native:/src/meta/recipes-core/gzip/gzip_1.bb:do_fetch)
NOTE: recipe gzip-native-1-r0: task do_fetch: Started
WARNING: gzip-native-1-r0 do_fetch: a mirror did not answer
ERROR: gzip-native-1-r0 do_fetch: Fetcher failure for URL
ERROR: Logfile of failure stored in: /b/tmp/work/gzip/log.do_fetch.1
NOTE: recipe gzip-native-1-r0: task do_fetch: Failed
ERROR: Task (virtual:native:/src/meta/recipes-core/gzip/gzip_1.bb:do_fetch) failed with exit code '1'
"""


class Recorder(Silent):
    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.messages: list[tuple[str, str]] = []
        self.parsed: list[tuple[int, int]] = []

    def task(self, task: Task) -> None:
        self.tasks.append(task)

    def message(self, level: str, text: str) -> None:
        self.messages.append((level, text))

    def parsing(self, done: int, total: int) -> None:
        self.parsed.append((done, total))


def test_tasks_and_their_count_come_from_the_output_wherever_it_is_cut(tmp_path: Path):
    data = OUTPUT.encode()
    for cut in range(0, len(data), 37):
        path, view = tmp_path / f"log{cut}", Recorder()
        tail = ConsoleTail(path, view)
        assert tail.poll() is False
        path.write_bytes(data[:cut])
        tail.poll()
        with path.open("ab") as stream:
            stream.write(data[cut:])
        tail.poll()
        assert [(task.recipe, task.task, task.state) for task in view.tasks] == [
            ("zlib-native", "do_compile", "started"),
            ("zlib-native", "do_compile", "succeeded"),
            ("gzip-native", "do_fetch", "started"),
            ("gzip-native", "do_fetch", "failed"),
        ]
        assert [(task.done, task.total) for task in view.tasks] == [(20, 222), (21, 222), (21, 222), (22, 222)]
        assert view.parsed == [(951, 951)]
        assert tail.outcome.tasks_run == 2


def test_a_failure_comes_with_its_log_and_its_words(tmp_path: Path):
    path, view = tmp_path / "log", Recorder()
    path.write_text(OUTPUT)
    tail = ConsoleTail(path, view)
    tail.poll()
    assert [(task.recipe, task.log) for task in tail.outcome.failed] == [
        ("gzip-native", "/b/tmp/work/gzip/log.do_fetch.1")
    ]
    assert tail.outcome.errors == ["gzip-native-1-r0 do_fetch: Fetcher failure for URL"]
    assert view.messages == [("warning", "gzip-native-1-r0 do_fetch: a mirror did not answer")]
