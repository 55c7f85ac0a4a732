# SPDX-License-Identifier: MIT
"""`pycontainer`: parses the command line, runs one command, prints its result or its one error.

Standard output carries the result (or, with `--json`, one JSON object); progress goes to standard error.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from orchestrator.cli.history_parser import WORDS as HISTORY_WORDS
from orchestrator.cli.history_parser import add_history
from orchestrator.cli.plain import harmless
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see the design: 0 ok, 2 usage, 3 fetch, 4 build, 5 verification ...)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser_for(words).parse_args(words)
    # CI ends a job by SIGTERM: go the same orderly way as Ctrl-C, as long as the command runs.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _parser_for(words: Sequence[str]) -> ArgumentParser:
    """Return the parser of all commands, or only of those of history, when one of them is asked for.

    What the others import takes longer than a log of a thousand revisions.
    """
    if words and words[0] in HISTORY_WORDS:
        parser = ArgumentParser(prog="pycontainer")
        add_history(parser.add_subparsers(metavar="COMMAND", required=True))
        return parser
    from orchestrator.cli.parser import make_parser

    return make_parser()


def _run(options: Namespace) -> int:
    try:
        result = options.command(options)
        if options.json:
            print(json.dumps(result.data, sort_keys=True, ensure_ascii=False))
        elif result.text:
            print(harmless(result.text) if sys.stdout.isatty() else result.text)
        sys.stdout.flush()
    except PyContainerError as problem:
        return _complain(problem, options.json)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader went away (`pycontainer show | head`): no complaint, and none from the interpreter at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        if problem.filename is None and problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _complain(_of_system(problem), options.json)
    code: int = result.exit_code
    return code


def _of_system(problem: OSError) -> PyContainerError:
    """A full disk, a wrong or a forbidden path are ordinary events: say so in our three lines."""
    if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
        return ConfigError(
            f"{problem.filename} cannot be used", problem.strerror or str(problem), "name or allow another place"
        )
    where = problem.filename or "the file system"
    return TryAgainError(
        f"cannot write {where}",
        os.strerror(problem.errno or 0),
        "make room and run the same command again; nothing is lost",
    )


def _complain(problem: PyContainerError, as_json: bool) -> int:
    """Print an error once: what, why, what to do."""
    if as_json:
        error = {"what": problem.what, "why": problem.why, "hint": problem.hint, "exitCode": problem.exit_code}
        print(json.dumps({"error": error}, sort_keys=True, ensure_ascii=False))
        return problem.exit_code
    red, plain = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"{red}error:{plain} {harmless(problem.what)}", file=sys.stderr)
    for label, text in (("why:  ", problem.why), ("do:   ", problem.hint)):
        if text:
            print(f"{label} {harmless(text)}", file=sys.stderr)
    return problem.exit_code


if __name__ == "__main__":
    sys.exit(main())
