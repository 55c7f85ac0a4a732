# SPDX-License-Identifier: MIT
"""Requests and answers over a real socket, with all that a line may do to them."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.device import Connection, DeviceError, LinkError, Stream
from orchestrator.device.answers import AnswerError
from orchestrator.device.stream import LINE_LIMIT
from orchestrator.device.transports import open_unix
from orchestrator.errors import VerificationError
from tests.unit.device.fake import PS, STATUS, Device

BLOB = bytes(range(256)) * 1000
DIGEST = sha256_digest(BLOB)


def source(data: bytes = BLOB) -> Any:
    def read(offset: int) -> Iterator[bytes]:
        yield from (data[start : start + 100_000] for start in range(offset, len(data), 100_000))

    return read


@pytest.mark.parametrize(("verb", "expected"), [("status", STATUS), ("ps", PS), ("confirm", {}), ("rollback", {})])
def test_an_answer_is_returned_without_its_ok(connection: Connection, verb: str, expected: dict[str, Any]) -> None:
    assert connection.ask(verb) == expected
    assert connection.version is not None
    assert connection.version.machine == "qemu-amd64"


def test_a_refusal_is_an_error_and_the_connection_goes_on(device: Device, connection: Connection) -> None:
    with pytest.raises(DeviceError, match="refuses dance") as caught:
        connection.ask("dance")
    assert (caught.value.exit_code, caught.value.why) == (5, "there is no verb dance")
    assert "pycontainer device status" in caught.value.hint
    assert connection.ask("status")["state"] == "confirmed"
    assert device.verbs() == ["dance", "status"]
    assert [request["verb"] for request in device.asked].count("version") == 1


def test_a_consoles_lines_between_are_passed_over(device: Device, connection: Connection) -> None:
    device.noise = b"[   12.3] eth0: link up\r\n\n\xff\xfe login:\n"
    assert connection.ask("ps") == PS
    assert connection.put(DIGEST, len(BLOB), source()) == len(BLOB)


def test_what_an_earlier_program_asked_for_is_passed_over(device: Device, connection: Connection) -> None:
    stale = [{"ok": True, **STATUS, "state": "old"}, {"line": "x"}, {"error": "no verb"}, {"ok": True, "protocol": 1}]
    device.greeting = b'lf of a line"}\n' + b"".join(json.dumps(value).encode() + b"\n" for value in stale)
    assert connection.ask("status")["state"] == "confirmed"


def test_an_answer_to_an_earlier_greeting_is_no_answer_to_ours(device: Device, connection: Connection) -> None:
    device.answers["ps"] = lambda request: device.answers.pop("late", None) or PS
    connection.hello()
    device.noise = b'{"ok":true,"version":"0.1","protocol":1}\n'
    assert connection.ask("ps") == PS


def test_a_user_who_may_not_ask_for_the_version_may_ask_for_the_rest(device: Device, connection: Connection) -> None:
    device.answers["version"] = {"error": "this container may not"}
    assert connection.hello() is None
    assert connection.ask("ps") == PS


def test_another_protocol_is_refused(device: Device, connection: Connection) -> None:
    device.answers["version"] = {"version": "9", "protocol": 2}
    with pytest.raises(VerificationError, match="speaks protocol 2"):
        connection.ask("ps")


def test_a_silent_device_is_told(device: Device) -> None:
    device.answers["version"] = lambda request: None
    connection = Connection(open_unix(device.path), timeout=0.2, settle=0.01)
    with pytest.raises(LinkError, match="does not answer") as caught:
        connection.ask("status")
    assert caught.value.exit_code == 75
    connection.close()


def pair(timeout: float = 20) -> tuple[Connection, socket.socket]:
    """A connection, greeted, and the device's end of it."""
    ours, theirs = socket.socketpair()
    number = ours.detach()
    stream = Stream(number, number, "the device", lambda: os.close(number), shared=True)
    connection = Connection(stream, timeout=timeout, settle=0.01)
    theirs.sendall(b'{"ok":true,"version":"1","protocol":1}\n')
    connection.hello()
    return connection, theirs


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"ok":true', "not acceptable JSON"),
        (b'{"ok":false}', "right form"),
        (b"x" * (LINE_LIMIT + 1), "too long"),
        (b'{"a":"' + b"x" * LINE_LIMIT + b'"}', "too long"),
    ],
)
def test_a_line_that_is_no_answer_ends_the_connection(line: bytes, words: str) -> None:
    connection, theirs = pair()
    feeder = threading.Thread(target=lambda: theirs.sendall(line + b"\n"), daemon=True)
    feeder.start()
    with pytest.raises(LinkError, match=words):
        connection.ask("status")
    connection.close()
    theirs.close()


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    connection, theirs = pair()
    stop = threading.Event()

    def feed() -> None:
        with theirs:
            while not stop.is_set():
                try:
                    theirs.sendall(b"y" * 65536)
                except OSError:
                    return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    with pytest.raises(LinkError, match="too long"):
        connection.ask("status")
    assert len(connection.stream._held) <= 4 * LINE_LIMIT + 65536
    stop.set()
    connection.close()
    feeder.join(10)


def test_a_link_that_ends_is_told() -> None:
    connection, theirs = pair()
    theirs.sendall(b'{"line":"half')
    theirs.close()
    with pytest.raises(LinkError, match="is lost"):
        connection.ask("status")
    connection.close()


def test_a_blob_is_sent_in_pieces_and_its_progress_told(device: Device, connection: Connection) -> None:
    done: list[int] = []
    assert connection.put(DIGEST, len(BLOB), source(), done.append) == len(BLOB)
    assert device.blobs[DIGEST] == BLOB
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, len(BLOB))
    assert len(done) > 4


def test_a_blob_that_was_begun_goes_on_where_it_stopped(device: Device, connection: Connection) -> None:
    device.incoming[DIGEST] = bytearray(BLOB[:70_001])
    assert connection.put(DIGEST, len(BLOB), source()) == len(BLOB) - 70_001
    assert device.blobs[DIGEST] == BLOB


def test_a_blob_that_the_device_has_is_not_sent(device: Device, connection: Connection) -> None:
    device.blobs[DIGEST] = BLOB
    assert connection.put(DIGEST, len(BLOB), source()) == 0
    device.answers["put"] = {}
    assert connection.put(DIGEST, len(BLOB), source()) == 0


def test_an_offset_beyond_the_blob_is_no_answer(device: Device, connection: Connection) -> None:
    device.incoming[DIGEST] = bytearray(len(BLOB) + 1)
    with pytest.raises(AnswerError, match="more of a blob than there is"):
        connection.put(DIGEST, len(BLOB), source())


@pytest.mark.parametrize("data", [BLOB[:-1], BLOB + b"x"])
def test_a_blob_of_another_size_is_not_passed_off(device: Device, connection: Connection, data: bytes) -> None:
    with pytest.raises(VerificationError, match="wrong size"):
        connection.put(DIGEST, len(BLOB), source(data))
    assert connection.ask("status")["state"] == "confirmed"


def test_a_device_that_gives_up_is_heard_while_we_still_send() -> None:
    connection, theirs = pair()

    def serve() -> None:
        with theirs, theirs.makefile("rb") as stream:
            for line in stream:
                verb = json.loads(line).get("verb") if line.strip() else None
                answer = {
                    "version": b'{"ok":true,"version":"1","protocol":1}\n',
                    "put": b'{"ready":{"offset":0}}\n{"error":"storage is full"}\n',
                    "status": b'{"ok":true,"n":1}\n',
                }.get(verb, b'{"error":"no verb"}\n' if line.strip() else b"")  # the data that was on its way
                theirs.sendall(answer)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    with pytest.raises(DeviceError, match="refuses put") as caught:
        connection.put(DIGEST, 1 << 40, lambda offset: iter(lambda: b"z" * 1000, None))
    assert caught.value.why == "storage is full"
    assert connection.ask("status") == {"n": 1}
    connection.close()
    server.join(10)


def test_a_damaged_blob_is_refused_by_the_device(connection: Connection) -> None:
    with pytest.raises(DeviceError) as caught:
        connection.put(DIGEST, len(BLOB), source(b"x" + BLOB[1:]))
    assert "digest" in caught.value.why


def test_log_lines_come_in_order(device: Device, connection: Connection) -> None:
    lines: list[str] = []
    connection.follow("web", 3, False, lines.append)
    assert lines == ["line 0", "line 1", "line 2"]
    assert device.asked[-1] == {"verb": "logs", "container": "web", "lines": 3, "follow": False}


def test_following_ends_when_it_is_interrupted_and_the_next_request_is_answered(connection: Connection) -> None:
    def show(line: str) -> None:
        if line == "line 4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.follow("web", 5, True, show)
    assert connection.ask("status")["state"] == "confirmed"


def test_a_commands_output_and_status_come_back(connection: Connection) -> None:
    seen: list[tuple[str, bytes]] = []
    assert connection.execute("web", ["fail"], lambda name, data: seen.append((name, data))) == 3
    assert seen == [("out", b"out \xff\n"), ("err", b"err\n")]
    assert connection.ask("status")["state"] == "confirmed"


def test_standard_input_goes_to_the_command_whole(connection: Connection) -> None:
    reading, writing = os.pipe()
    data = os.urandom(600_000)

    def feed() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    got = bytearray()
    assert connection.execute("web", ["cat"], lambda name, piece: got.extend(piece), reading) == 0
    feeder.join()
    os.close(reading)
    assert got == data


def test_much_output_is_no_problem(connection: Connection) -> None:
    count = 0

    def show(name: str, data: bytes) -> None:
        nonlocal count
        count += len(data)

    assert connection.execute("web", ["spew", "300"], show) == 0
    assert count == 300 * 8000


def test_output_that_is_no_base64_is_no_answer() -> None:
    for value in (b'"%%%"', b"5", b'"\xc3\xa4"'):
        connection, theirs = pair()
        theirs.sendall(b'{"out":%s}\n' % value)
        with pytest.raises(AnswerError, match="no base64"):
            connection.execute("web", ["x"], lambda name, data: None)
        connection.close()
        theirs.close()
