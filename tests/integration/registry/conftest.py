# SPDX-License-Identifier: MIT
"""Debian's docker-registry on loopback, plain and with TLS and passwords; and a line to it that may be bad."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.oci import Store
from tests.unit.registry.test_tls import make_certificate, pem

USER, PASSWORD = "shop", "hunter2"
HTPASSWD = "shop:$2y$05$hOcLBARcZv8HTmwGfmI0x.aK8rs.1ZyBEqQ9pAcTZDroCcCeeKDQS\n"
"""The user and password above, as htpasswd -B writes them."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running docker-registry."""

    port: int
    authority: bytes | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def docker_registry(folder: Path, *, secure: bool) -> Iterator[Server]:
    """Run docker-registry in `folder` on a free port, until the block ends."""
    folder.mkdir()
    port = free_port()
    http = f"http:\n  addr: 127.0.0.1:{port}\n"
    authority = None
    if secure:
        issuer = make_certificate("authority")
        authority = pem(issuer)[0]
        certificate, key = pem(make_certificate("registry", issuer))
        (folder / "tls.crt").write_bytes(certificate)
        (folder / "tls.key").write_bytes(key)
        (folder / "htpasswd").write_text(HTPASSWD)
        http += f"  tls: {{certificate: {folder}/tls.crt, key: {folder}/tls.key}}\n"
        http += f"auth:\n  htpasswd: {{realm: shop, path: {folder}/htpasswd}}\n"
    config = f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/data}}\n{http}"
    (folder / "config.yml").write_text(config)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "docker-registry does not listen"
                time.sleep(0.05)
        yield Server(port, authority)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry without TLS and passwords."""
    with docker_registry(tmp_path_factory.mktemp("plain") / "registry", secure=False) as server:
        yield server


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with a certificate of an authority of its own, and a password."""
    with docker_registry(tmp_path_factory.mktemp("secure") / "registry", secure=True) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has nothing yet: no password, no certificate, no configuration."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "PYCONTAINER_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(folder / "auth.json"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(folder / "registries.conf"))
    return folder


def know(home: Path, server: Server) -> None:
    """Let the user have the password and the authority's certificate of a registry."""
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (home / "auth.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
    folder = home / ".config" / "containers" / "certs.d" / server.host
    folder.mkdir(parents=True)
    assert server.authority is not None
    (folder / "ca.crt").write_bytes(server.authority)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "other")


@dataclass
class BadLine:
    """A way to a server that cuts, slows and spoils what comes back.

    `cut_after` bytes of a connection it is cut, `spoil_at` a byte of it is changed; each for the first connections that
    carry as much. `pause` is slept before each piece, in seconds.
    """

    target: int
    cut_after: int = 0
    cuts: int = 0
    spoil_at: int = 0
    spoils: int = 0
    pause: float = 0.0
    both_ways: bool = False
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _left(self, what: str) -> bool:
        with self.lock:
            if getattr(self, what) <= 0:
                return False
            setattr(self, what, getattr(self, what) - 1)
            return True

    def carry(self, source: socket.socket, sink: socket.socket, *, bad: bool) -> None:
        seen = 0
        try:
            while data := source.recv(65536):
                if bad and self.pause:
                    time.sleep(self.pause)
                if bad and self.cut_after and seen + len(data) > self.cut_after and self._left("cuts"):
                    break
                if bad and seen <= self.spoil_at < seen + len(data) and self.spoil_at and self._left("spoils"):
                    place = self.spoil_at - seen
                    data = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
                seen += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def bad_line(line: BadLine) -> Iterator[BadLine]:
    """Listen on a free port and carry what comes to the target, badly."""
    listener = socket.create_server(("127.0.0.1", 0))
    line.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", line.target))
            for source, sink, bad in ((client, server, line.both_ways), (server, client, True)):
                threading.Thread(target=line.carry, args=(source, sink), kwargs={"bad": bad}, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield line
    finally:
        listener.close()
