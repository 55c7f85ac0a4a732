# SPDX-License-Identifier: MIT
"""A device that speaks the control protocol: it keeps what it is sent, and fails as it is told."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

VERSION = {
    "version": "0.1", "protocol": 1, "kernel": "Linux 6.12", "product": "demo", "machine": "qemu-amd64", "new": [1],
}  # fmt: skip
STATUS = {
    "product": "demo", "version": "1.0.0", "revision": "a" * 64, "state": "confirmed", "trial": None, "outcome": None,
    "floor": 0, "record": {"generation": 3, "rev": "a" * 64, "try": None, "left": 0},
    "storage": {"size": 500_000_000, "free": 400_000_000}, "uptimeMs": 3_600_000, "watchdog": True,
}  # fmt: skip
PS = {
    "containers": [
        {"name": "rootfs", "kind": "rootfs", "version": "13", "state": "running", "health": None, "pid": 176,
         "restarts": 0, "runningMs": 45_000, "memory": 12_000_000, "memoryPeak": 20_000_000, "cpuUs": 1_500_000,
         "processes": 5, "oomKills": 0, "last": None},
        {"name": "web", "kind": "app", "version": "1.26", "state": "restarting", "health": "unhealthy", "pid": None,
         "restarts": 4, "runningMs": None, "memory": None, "memoryPeak": None, "cpuUs": None, "processes": None,
         "oomKills": 2, "last": "exit status 1\x1b[31m"},
    ]
}  # fmt: skip


class HangUp(Exception):
    """The device closes the connection."""


class Device:
    """Serves one connection after the other at `path`, each by `serve`; what it was asked is in `asked`.

    `answers` maps a verb to its final answer, or to a function of the request that gives it. `cut_at` closes the
    connection once so many bytes of data have come. `crowd` is how many blobs lie there that no install refers to;
    one more than 64, and it removes all such. `noise` is sent before each line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs: dict[str, bytes] = {}
        self.incoming: dict[str, bytearray] = {}
        self.listed: dict[str, int] = {}
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {
            "version": VERSION, "status": STATUS, "ps": PS, "start": {}, "stop": {}, "restart": {}, "confirm": {},
            "rollback": {}, "reboot": {}, "poweroff": {}, "try": {},
            "revisions": {"revisions": [
                {"revision": "a" * 64, "version": "1.0.0", "running": True, "confirmed": True, "previous": False,
                 "complete": True, "size": 50_000_000},
                {"revision": "b" * 64, "version": None, "running": False, "confirmed": False, "previous": True,
                 "complete": False, "size": None},
            ]},
            "volumes": {"volumes": [{"layer": "web", "name": "data", "kind": "permanent", "path": "/x", "used": 5000}]},
            "gc": {"removed": {"revisions": 1, "blobs": 3}, "freed": 7_000_000},
            "identity": {"publicKey": "A" * 43 + "=", "keyid": "c" * 64},
        }  # fmt: skip
        self.cut_at: int | None = None
        self.crowd = 0
        self.received = 0
        self.copies = True
        self.copied = 0
        self.connections = 0
        self.noise = b""
        self.greeting = b""
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(8)
        self._stopped = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Device:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.connect(str(self.path))
        self._thread.join(10)
        self._server.close()

    def verbs(self) -> list[str]:
        """What was asked, greetings aside."""
        return [request["verb"] for request in self.asked if request["verb"] != "version"]

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection:
                if self._stopped:
                    return
                self.connections += 1
                with contextlib.suppress(HangUp, OSError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")

        def send(value: dict[str, Any]) -> None:
            connection.sendall(self.noise + json.dumps(value).encode() + b"\n")

        def receive() -> dict[str, Any]:
            while True:
                line = stream.readline()
                if not line.endswith(b"\n"):
                    raise HangUp
                if line.strip():
                    try:
                        return dict(json.loads(line))
                    except ValueError:
                        send({"error": "not a request"})

        with stream:
            if self.greeting:
                connection.sendall(self.greeting)
            while True:
                request = receive()
                if "verb" not in request:
                    # Lines of a request that has ended are passed over.
                    if not request.keys() & {"data", "copy", "end"}:
                        send({"error": "no verb"})
                    continue
                self.asked.append(request)
                self._answer(request, send, receive)

    def _answer(
        self, request: dict[str, Any], send: Callable[[dict[str, Any]], None], receive: Callable[[], dict[str, Any]]
    ) -> None:
        verb = request["verb"]
        if verb in self.answers:
            answer = self.answers[verb]
            if callable(answer):
                answer = answer(request)
            if answer is not None:
                send(answer if "error" in answer else {"ok": True, **answer})
        elif verb == "put":
            self._put(request, send, receive)
        elif verb == "install":
            self._install(request, send)
        elif verb == "logs":
            for number in range(request["lines"]):
                send({"line": f"line {number}"})
            if request["follow"]:
                assert receive() == {"end": True}
            send({"ok": True})
        elif verb == "observe":
            layer = request.get("container", "web")
            seen = {"time": "2026-01-01T00:00:00.000Z", "layer": layer, "program": "sh\033[2J", "pid": 7, "uid": 33}
            send(seen | {"event": "exec", "declared": True, "path": "/bin/sh"})
            send(seen | {"event": "write", "path": "/bin/x", "refused": True})
            send(seen | {"event": "connect", "address": "2001:db8::1", "port": 443, "protocol": "tcp"})
            send({"time": seen["time"], "layer": layer, "event": "lost", "count": 3})
            if request["follow"]:
                assert receive() == {"end": True}
            send({"ok": True})
        elif verb == "exec":
            self._exec(request, send, receive)
        else:
            send({"error": f"there is no verb {verb}"})

    def _put(
        self, request: dict[str, Any], send: Callable[[dict[str, Any]], None], receive: Callable[[], dict[str, Any]]
    ) -> None:
        digest, size = request["digest"], request["size"]
        if size > 1_000_000 and digest not in self.listed:
            send({"error": "nothing lists this blob"})
            return
        if self.crowd and digest not in self.listed and digest not in self.blobs:
            self.crowd += 1
            if self.crowd > 64:
                self.crowd = 0
                self.blobs.clear()
        data = self.incoming.setdefault(digest, bytearray(self.blobs.get(digest, b"")))
        send({"ready": {"offset": len(data), "copy": True} if self.copies else {"offset": len(data)}})
        while len(data) < size:
            part = receive()
            if part.get("end"):
                send({"ok": True})
                return
            if "copy" in part:
                assert self.copies
                assert 1 <= part["copy"]["size"] <= 16 << 20
                start, source = part["copy"]["offset"], self.blobs.get(part["copy"]["digest"], b"")
                piece = source[start : start + part["copy"]["size"]]
                if len(piece) < part["copy"]["size"]:
                    send({"error": "blobs/sha256: it ends before that"})
                    return
                data += piece
                self.copied += len(piece)
                continue
            piece = base64.b64decode(part["data"], validate=True)
            assert len(piece) <= 48 * 1024
            if self.cut_at is not None and self.received + len(piece) > self.cut_at:
                taken = piece[: self.cut_at - self.received]
                data += taken
                self.received += len(taken)
                self.cut_at = None
                raise HangUp
            data += piece
            self.received += len(piece)
        del self.incoming[digest]
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            send({"error": "the blob's digest is another"})
            return
        self.blobs[digest] = bytes(data)
        send({"ok": True})

    def _install(self, request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        if "signature" not in request:
            send({"progress": {"step": "copy", "done": 50, "total": 100}})
            send({"ok": True, "revision": "sha256:" + "d" * 64, "copied": 100, "blobs": 2})
            return
        for digest in (request["revision"], request["signature"]):
            if digest not in self.blobs:
                send({"error": f"{digest} was not put"})
                return
        manifest = json.loads(self.blobs[request["revision"]])
        assert manifest["config"]["digest"] in self.blobs
        assert json.loads(self.blobs[request["signature"]])["signatures"]
        self.listed = {part["digest"]: part["size"] for part in manifest["layers"]}
        missing = [
            {"digest": digest, "size": size, "offset": len(self.incoming.get(digest, b""))}
            for digest, size in self.listed.items()
            if digest not in self.blobs
        ]
        if not missing:
            send({"progress": {"step": "write", "done": 0, "total": 0}})
            send({"progress": {"step": "seal", "done": 1, "total": 1}})
        send({"ok": True, "missing": missing})

    def _exec(
        self, request: dict[str, Any], send: Callable[[dict[str, Any]], None], receive: Callable[[], dict[str, Any]]
    ) -> None:
        command = request["command"]
        if command[0] == "cat":
            while "data" in (part := receive()):
                send({"out": part["data"]})
        elif command[0] == "spew":
            for number in range(int(command[1])):
                send({"out": base64.b64encode(b"%07d\n" % number * 1000).decode()})
        else:
            send({"out": base64.b64encode(b"out \xff\n").decode()})
            send({"err": base64.b64encode(b"err\n").decode()})
        send({"ok": True, "status": 3 if command[0] == "fail" else 0})
