# SPDX-License-Identifier: MIT
"""A registry on loopback, all in memory: OCI distribution-spec 1.1 whole, and as ill-behaved as it is told."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
TOKEN = "t0ken-of-the-fake"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]


@dataclass
class Repo:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


Trouble = Callable[["Handler"], bool]


@dataclass
class Registry:
    """What is stored, how to behave, and what was asked."""

    repos: dict[str, Repo] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    referrers: bool = True
    ranges: bool = True
    heeds_if_match: bool = True
    user: tuple[str, str] | None = None
    bearer: bool = False
    refresh_token: str = ""
    token_seconds: int = 300
    valid: set[str] = field(default_factory=set)
    page: int = 1000
    trouble: Trouble | None = None
    port: int = 0
    tls: Any = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def repo(self, name: str) -> Repo:
        return self.repos.setdefault(name, Repo())

    def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store a blob; returns its descriptor."""
        self.repo(name).blobs[digest_of(data)] = data
        return {"mediaType": "application/octet-stream", "digest": digest_of(data), "size": len(data)}

    def put_json(self, name: str, value: Any, media_type: str, *tags: str) -> dict[str, Any]:
        """Store a manifest; returns its descriptor."""
        data = json.dumps(value).encode()
        repo = self.repo(name)
        repo.manifests[digest_of(data)] = (media_type, data)
        for tag in tags:
            repo.tags[tag] = digest_of(data)
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def asked(self, method: str, pattern: str = "") -> list[Seen]:
        return [each for each in self.seen if each.method == method and re.search(pattern, each.path)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry
    body: bytes = b""

    def log_message(self, format: str, *args: object) -> None: ...

    def version_string(self) -> str:
        return "fake"

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        sent.setdefault("content-length", str(len(body)))
        for name, value in sent.items():
            if value != "-":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self) -> None:
        """Close the connection here and now."""
        self.close_connection = True
        self.wfile.flush()

    def error(self, status: int, code: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
        self.reply(status, body, content_type="application/json")

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        registry = self.registry
        seen = Seen(self.command, parts.path, {k.lower(): v for k, v in self.headers.items()}, self.query)
        with registry.lock:
            registry.seen.append(seen)
        if registry.trouble is not None and registry.trouble(self):
            return
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length) if length else b""
        if len(self.body) < length:
            self.keep_part(parts.path)
            self.close_connection = True
            return
        if parts.path == "/token":
            self.token()
        elif self.authorised(parts.path):
            with registry.lock:
                self.route(parts.path)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def keep_part(self, path: str) -> None:
        """A cut upload keeps what came, as real registries do."""
        upload = self.registry.uploads.get(path.rpartition("/")[2])
        if upload is not None and self.command == "PATCH":
            upload.extend(self.body)

    def authorised(self, path: str) -> bool:
        registry = self.registry
        if registry.user is None and not registry.refresh_token and not registry.bearer:
            return True
        given = self.headers.get("authorization", "")
        if registry.bearer:
            if given.removeprefix("Bearer ") in registry.valid and given.startswith("Bearer "):
                return True
            realm = f'Bearer realm="http://{registry.host}/token",service="fake",scope="repository:x:pull"'
            self.reply(401, www_authenticate=realm)
            return False
        if given == "Basic " + base64.b64encode(":".join(registry.user or ()).encode()).decode():
            return True
        self.reply(401, www_authenticate='Basic realm="fake"')
        return False

    def token(self) -> None:
        registry = self.registry
        if registry.refresh_token:
            form = parse_qs(self.body.decode())
            if form.get("refresh_token") != [registry.refresh_token]:
                return self.error(401, "UNAUTHORIZED")
        elif registry.user is not None:
            wanted = "Basic " + base64.b64encode(":".join(registry.user).encode()).decode()
            if self.headers.get("authorization") != wanted:
                return self.error(401, "UNAUTHORIZED")
        token = f"{TOKEN}-{len(registry.asked('GET', '/token')) + len(registry.asked('POST', '/token'))}"
        registry.valid.add(token)
        body = json.dumps({"token": token, "expires_in": registry.token_seconds}).encode()
        return self.reply(200, body, content_type="application/json")

    def route(self, path: str) -> None:
        if path == "/v2/":
            return self.reply(200, b"{}", content_type="application/json")
        match = re.fullmatch(r"/v2/(.+?)/(manifests|blobs|referrers|tags)/(.+?)/?", path)
        if match is None:
            return self.error(404, "NOT_FOUND")
        name, kind, rest = match.groups()
        if kind == "blobs" and rest.startswith("uploads"):
            return self.upload(name, rest.partition("/")[2])
        return {
            "manifests": self.manifest,
            "blobs": self.blob,
            "referrers": self.list_referrers,
            "tags": self.list_tags,
        }[kind](name, rest)

    def blob(self, name: str, digest: str) -> None:
        data = self.registry.repo(name).blobs.get(digest)
        if data is None:
            return self.error(404, "BLOB_UNKNOWN")
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if match and self.registry.ranges:
            start, end = int(match[1]), min(int(match[2] or len(data) - 1) + 1, len(data))
            if start >= len(data):
                return self.reply(416)
            return self.reply(206, data[start:end], content_range=f"bytes {start}-{end - 1}/{len(data)}")
        return self.reply(200, data, docker_content_digest=digest)

    def manifest(self, name: str, reference: str) -> None:
        repo = self.registry.repo(name)
        if self.command == "PUT":
            return self.put_manifest(repo, reference)
        digest = repo.tags.get(reference, reference)
        if digest not in repo.manifests:
            return self.error(404, "MANIFEST_UNKNOWN")
        media_type, data = repo.manifests[digest]
        return self.reply(200, data, content_type=media_type, docker_content_digest=digest, etag=f'"{digest}"')

    def put_manifest(self, repo: Repo, reference: str) -> None:
        digest = digest_of(self.body)
        value = json.loads(self.body)
        for part in [*([value["config"]] if "config" in value else []), *value.get("layers", [])]:
            if part["digest"] not in repo.blobs:
                return self.error(400, "MANIFEST_BLOB_UNKNOWN")
        wanted = self.headers.get("if-match")
        if self.registry.heeds_if_match and wanted not in (None, f'"{repo.tags.get(reference)}"'):
            return self.reply(412)
        repo.manifests[digest] = (self.headers["content-type"], self.body)
        if not reference.startswith("sha256:"):
            repo.tags[reference] = digest
        subject = value.get("subject")
        extra = {"oci_subject": subject["digest"]} if subject and self.registry.referrers else {}
        return self.reply(201, location=self.path, docker_content_digest=digest, **extra)

    def list_referrers(self, name: str, digest: str) -> None:
        if not self.registry.referrers:
            return self.reply(404, b"404 page not found\n", content_type="text/plain")
        found = []
        for each, (media_type, data) in self.registry.repo(name).manifests.items():
            value = json.loads(data)
            if value.get("subject", {}).get("digest") == digest:
                entry = {"mediaType": media_type, "digest": each, "size": len(data)}
                entry["artifactType"] = value.get("artifactType") or value["config"]["mediaType"]
                found.append(entry)
        wanted = self.query.get("artifactType")
        found = [each for each in found if not wanted or each["artifactType"] in wanted]
        start = int(self.query.get("at", ["0"])[0])
        page = found[start : start + self.registry.page]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": page}).encode()
        more = start + self.registry.page < len(found)
        link = f'</v2/{name}/referrers/{digest}?at={start + self.registry.page}>; rel="next"' if more else "-"
        return self.reply(200, body, content_type=INDEX, link=link)

    def list_tags(self, name: str, _: str) -> None:
        tags = sorted(self.registry.repo(name).tags)
        last = self.query.get("last", [""])[0]
        rest = [tag for tag in tags if tag > last]
        page = rest[: self.registry.page]
        link = f'</v2/{name}/tags/list?n=1&last={page[-1]}>; rel="next"' if len(rest) > len(page) else "-"
        body = json.dumps({"name": name, "tags": page}).encode()
        return self.reply(200, body, content_type="application/json", link=link)

    def upload(self, name: str, session: str) -> None:
        registry, repo = self.registry, self.registry.repo(name)
        if self.command == "POST":
            source = registry.repos.get(self.query.get("from", [""])[0])
            mount = self.query.get("mount", [""])[0]
            if source is not None and mount in source.blobs:
                repo.blobs[mount] = source.blobs[mount]
                return self.reply(201, location=f"/v2/{name}/blobs/{mount}")
            session = f"u{len(registry.uploads)}"
            registry.uploads[session] = bytearray()
            return self.reply(202, location=f"/v2/{name}/blobs/uploads/{session}?state=s%2F1", range="0-0")
        data = registry.uploads.get(session)
        if data is None:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN")
        place = {"location": f"/v2/{name}/blobs/uploads/{session}?state=s%2F{len(data)}"}
        if self.command == "PATCH":
            match = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("content-range", ""))
            if match is None or int(match[1]) != len(data):
                return self.reply(416, range=f"0-{max(len(data) - 1, 0)}", **place)
            data.extend(self.body)
        if self.command == "PUT":
            data.extend(self.body)
            digest = self.query["digest"][0]
            del registry.uploads[session]
            registry.uploads[f"done-{session}"] = bytearray()
            if digest_of(bytes(data)) != digest:
                return self.error(400, "DIGEST_INVALID")
            repo.blobs[digest] = bytes(data)
            return self.reply(201, location=f"/v2/{name}/blobs/{digest}", docker_content_digest=digest)
        status = 202 if self.command == "PATCH" else 204
        length = {"content_length": "-"} if status == 204 else {}
        return self.reply(status, range=f"0-{max(len(data) - 1, 0)}", **place, **length)


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve a registry on a free port of loopback."""
    handler = type("Bound", (Handler,), {"registry": registry, "timeout": 5})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if registry.tls is not None:
        server.socket = registry.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
