# SPDX-License-Identifier: MIT
"""Talking to one repository of one server: its scheme, its challenges, its tokens."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx
import msgspec

from orchestrator.errors import FetchError
from orchestrator.registry.challenge import Challenge, parse_challenges
from orchestrator.registry.credentials import Credential, find_credential
from orchestrator.registry.errors import BrokenTransferError, DeniedError, NotFoundError, printable, reason
from orchestrator.registry.failures import causes
from orchestrator.registry.places import Place
from orchestrator.registry.web import Answer, Body, Call, Web, checked

SMALL = 64 * 1024
"""Bytes of an error or of an answer that carries no document."""
_TOKEN_LIMIT = 1024 * 1024
_TOKEN_SECONDS = 60
"""How long a token is good when its server does not say (token specification of distribution)."""
_MARGIN = 10


class _TokenAnswer(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    expires_in: float | None = None


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    until: float


class Session:
    """Requests to one repository, with who we are. `actions` is what tokens are asked for: `pull` or `pull,push`."""

    def __init__(self, web: Web, place: Place, *, actions: str = "pull") -> None:
        self.web = web
        self.place = place
        self.repository = place.repository
        self.actions = actions
        self._credential: Credential | None = None
        self._asked = False
        self._challenge: Challenge | None = None
        self._tokens: dict[tuple[str, ...], _Token] = {}
        self._base: httpx.URL | None = None
        self._lock = threading.RLock()

    def url(self, path: str, **query: str) -> httpx.URL:
        """Return the address of `path` below the repository, for example `manifests/latest`."""
        return self.base().join(f"/v2/{self.repository.name}/{path}").copy_merge_params(query)

    def base(self) -> httpx.URL:
        """Return the server's address. Only this machine, or one configured as insecure, may speak http."""
        with self._lock:
            if self._base is None:
                self._base = httpx.URL(f"https://{self.repository.host}/")
                if (self.repository.loopback or self.place.insecure) and self._speaks_plainly(self._base):
                    self._base = httpx.URL(f"http://{self.repository.host}/")
            return self._base

    def _speaks_plainly(self, secure: httpx.URL) -> bool:
        """Whether the server's first bytes are no TLS, or nobody listens at the port for it, and http is answered."""
        try:
            self.web.once(Call("HEAD", secure.join("/v2/"), insecure=self.place.insecure), SMALL)
            return False
        except BrokenTransferError as problem:
            if not any(isinstance(each, (ConnectionRefusedError, ssl.SSLError)) for each in causes(problem)):
                return False
        except FetchError:
            return False
        try:
            plain = self.web.once(Call("HEAD", secure.copy_with(scheme="http").join("/v2/")), SMALL)
        except FetchError as problem:
            return not isinstance(problem, BrokenTransferError)  # whatever it said, it was HTTP
        return plain.status != 400  # what a server of TLS says to plain words

    def call(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limit: int = SMALL,
        expected: frozenset[int] = frozenset({200}),
        also_pull: str = "",
        tries: int | None = None,
    ) -> Answer:
        """Send a request and return its answer, whose status is one of `expected`.

        `also_pull` names another repository of the server that is read too. Raises NotFoundError, DeniedError,
        BusyError, BrokenTransferError or FetchError otherwise.
        """
        scopes = self._scopes(also_pull)
        call = Call(method, url, headers or {}, body, self.place.insecure)

        def attempt() -> Answer:
            answer = self.web.once(self._signed(call, scopes), limit)
            if answer.status == 401 and self._accept(answer.headers, scopes, call.url):
                answer = self.web.once(self._signed(call, scopes), limit)
            return answer

        answer = self.web.trying(attempt, self.repository.host, tries)
        if answer.status not in expected:
            raise self.refused(answer.status, answer.body)
        return answer

    @contextmanager
    def stream(self, url: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Get a large answer, whatever its status but 401, once: whoever reads it knows how to go on after a cut."""
        scopes = self._scopes("")
        call = Call("GET", url, headers, None, self.place.insecure)
        with self.web.open(self._signed(call, scopes)) as response:
            if response.status_code != 401 or not self._accept(response.headers, scopes, url):
                yield response
                return
        with self.web.open(self._signed(call, scopes)) as response:
            yield response

    def location(self, answer: Answer) -> httpx.URL:
        """Return where an answer's Location leads; raises FetchError when there is none that we may follow."""
        text = answer.headers.get("location", "")
        if not text or len(text) > 16384:
            raise FetchError(f"the registry {self.repository.host} names no place to go on", "Location is missing")
        try:
            return checked(answer.url.join(text), answer.url)
        except httpx.InvalidURL as problem:
            raise FetchError(
                f"the registry {self.repository.host} names an impossible address", printable(str(problem))
            ) from None

    def refused(self, status: int, body: bytes) -> FetchError:
        """Return the error for an answer that is not what was asked for."""
        name = str(self.repository)
        why = self._without_secrets(reason(status, body))
        if status == 404:
            return NotFoundError(f"{name} does not have it", why, "check the name, the tag and who may read it")
        if status in (401, 403):
            who = "with the credentials at hand" if self._credential else "without credentials"
            return DeniedError(
                f"access to {name} was denied {who}",
                why,
                f"log in (for example: skopeo login {self.repository.host}), or ask who runs it",
            )
        return FetchError(f"the registry of {name} refused", why, "try again, or ask who runs it")

    def _without_secrets(self, text: str) -> str:
        secrets = self._credential.secrets() if self._credential else []
        for secret in [*secrets, *(token.value for token in self._tokens.values())]:
            text = text.replace(secret, "***")
        return text

    def _scopes(self, also_pull: str) -> tuple[str, ...]:
        own = f"repository:{self.repository.name}:{self.actions}"
        return (own, f"repository:{also_pull}:pull") if also_pull else (own,)

    def _signed(self, call: Call, scopes: tuple[str, ...]) -> Call:
        """Return the call with what the server asked for last time; nothing goes to another origin than its own."""
        with self._lock:
            base = self.base()
            if self._challenge is None or (call.url.scheme, call.url.netloc) != (base.scheme, base.netloc):
                return call
            if self._challenge.scheme == "basic":
                return replace(call, authorisation=self._credential.basic if self._credential else None)
            token = self._tokens.get(scopes)
            if token is None or token.until < time.monotonic():
                token = self._tokens[scopes] = self._new_token(self._challenge, scopes)
            return replace(call, authorisation=f"Bearer {token.value}")

    def _accept(self, headers: httpx.Headers, scopes: tuple[str, ...], url: httpx.URL) -> bool:
        """Take note of what a 401 asks for; False when we have nothing better to offer than before."""
        with self._lock:
            base = self.base()
            if (url.scheme, url.netloc) != (base.scheme, base.netloc):
                return False
            if not self._asked:
                self._credential = find_credential(self.repository, self.web.environment)
                self._asked = True
            found = {each.scheme: each for each in reversed(parse_challenges(headers.get_list("www-authenticate")))}
            before = self._challenge
            if "bearer" in found and found["bearer"].parameters.get("realm"):
                self._challenge = found["bearer"]
                # Another thread may have renewed the token while our answer was on its way: one more try is enough.
                self._tokens.pop(scopes, None)
                return True
            if "basic" in found and self._credential is not None and self._credential.username:
                self._challenge = found["basic"]
                return before is None or before.scheme != "basic"
            return False

    def _new_token(self, challenge: Challenge, scopes: tuple[str, ...]) -> _Token:
        """Get a token (distribution's token specification; by OAuth 2 where we hold an identity token)."""
        base = self.base()
        realm = self._realm(challenge, base)
        service = challenge.parameters.get("service", "")
        credential = self._credential
        insecure = self.place.insecure and realm.host == base.host
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "pycontainer",
                "scope": " ".join(scopes),
                "refresh_token": credential.identity_token,
            }
            body = str(httpx.QueryParams(form)).encode()
            call = Call("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, body, insecure)
        else:
            asked = [*([("service", service)] if service else []), *(("scope", scope) for scope in scopes)]
            url = realm.copy_with(params=[*realm.params.multi_items(), *asked])
            basic = credential.basic if credential is not None and credential.username else None
            call = Call("GET", url, {}, None, insecure, basic)
        answer = self.web.fetch(call, limit=_TOKEN_LIMIT)
        if answer.status != 200:
            raise self.refused(401 if answer.status in (400, 401, 403) else answer.status, answer.body)
        try:
            found = msgspec.json.decode(answer.body, type=_TokenAnswer)
        except (msgspec.MsgspecError, RecursionError):
            found = _TokenAnswer()
        value = found.token or found.access_token
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise FetchError(f"the registry {self.repository.host} gives no token", "its token server answers nonsense")
        seconds = found.expires_in if found.expires_in is not None and found.expires_in > 0 else _TOKEN_SECONDS
        return _Token(value, time.monotonic() + max(min(seconds, 86400.0) - _MARGIN, 1.0))

    def _realm(self, challenge: Challenge, base: httpx.URL) -> httpx.URL:
        try:
            return checked(base.join(challenge.parameters["realm"]), base)
        except httpx.InvalidURL as problem:
            raise FetchError(
                f"the registry {self.repository.host} names an impossible token server", printable(str(problem))
            ) from None
