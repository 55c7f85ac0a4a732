# SPDX-License-Identifier: MIT
"""Certificates of one's own: authorities and client certificates come from certs.d and PYCONTAINER_CA."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.errors import ConfigError, FetchError
from orchestrator.registry import Place, Remote, Repository, Session, Web
from tests.unit.registry.conftest import IMPATIENT
from tests.unit.registry.fake import Registry, serving

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make_certificate(name: str, issuer: Pair | None = None) -> Pair:
    """Make a certificate for 127.0.0.1, signed by `issuer` or by itself as an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(pair: Pair) -> tuple[bytes, bytes]:
    key = pair[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pair[0].public_bytes(serialization.Encoding.PEM), key


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make_certificate("authority")


@pytest.fixture
def secure(registry: Registry, authority: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A registry that speaks TLS, with a certificate of our own authority; yields its host and its TLS settings."""
    certificate, key = pem(make_certificate("server", authority))
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    mine = Registry(tls=context)
    mine.put_json("web", {"schemaVersion": 2, "manifests": []}, "application/vnd.oci.image.index.v1+json", "1")
    with serving(mine):
        yield mine


def ask(environment: dict[str, str], registry: Registry, *, insecure: bool = False) -> str | None:
    with Web(patience=IMPATIENT, environment=environment) as web:
        return Remote(Session(web, Place(Repository(registry.host, "web"), insecure))).head("1")


def folder(environment: dict[str, str], host: str) -> Path:
    made = Path(environment["HOME"]) / ".config" / "containers" / "certs.d" / host
    made.mkdir(parents=True)
    return made


def test_an_unknown_authority_is_refused_with_what_to_do(secure: Registry, environment: dict[str, str]):
    with pytest.raises(FetchError) as caught:
        ask(environment, secure)
    assert "not trusted" in caught.value.what
    assert "PYCONTAINER_CA" in caught.value.hint
    assert secure.seen == []


def test_an_authority_in_certs_d_is_trusted(secure: Registry, environment: dict[str, str], authority: Pair):
    (folder(environment, secure.host) / "ca.crt").write_bytes(pem(authority)[0])
    assert ask(environment, secure)


def test_an_authority_that_the_environment_names_is_trusted(
    secure: Registry, environment: dict[str, str], authority: Pair, tmp_path: Path
):
    (tmp_path / "ca.pem").write_bytes(pem(authority)[0])
    assert ask(environment | {"PYCONTAINER_CA": str(tmp_path / "ca.pem")}, secure)


def test_an_authority_of_another_host_does_not_count(secure: Registry, environment: dict[str, str], authority: Pair):
    (folder(environment, "127.0.0.1:1") / "ca.crt").write_bytes(pem(authority)[0])
    with pytest.raises(FetchError, match="not trusted"):
        ask(environment, secure)


def test_insecure_takes_any_certificate(secure: Registry, environment: dict[str, str]):
    assert ask(environment, secure, insecure=True)


def test_a_client_certificate_is_shown(secure: Registry, environment: dict[str, str], authority: Pair, tmp_path: Path):
    (tmp_path / "ca.pem").write_bytes(pem(authority)[0])
    secure.tls.load_verify_locations(tmp_path / "ca.pem")
    secure.tls.verify_mode = ssl.CERT_REQUIRED
    place = folder(environment, secure.host)
    (place / "ca.crt").write_bytes(pem(authority)[0])
    with pytest.raises(FetchError):
        ask(environment, secure)
    certificate, key = pem(make_certificate("client", authority))
    (place / "client.cert").write_bytes(certificate)
    (place / "client.key").write_bytes(key)
    assert ask(environment, secure)


@pytest.mark.parametrize("name", ["ca.crt", "client.cert", "client.key"])
def test_a_file_that_is_no_certificate_is_named(secure: Registry, environment: dict[str, str], name: str):
    (folder(environment, secure.host) / name).write_text("nonsense")
    with pytest.raises(ConfigError) as caught:
        ask(environment, secure)
    assert name in caught.value.what


def test_nobody_is_sent_from_tls_to_plain_http(
    secure: Registry, registry: Registry, environment: dict[str, str], authority: Pair
):
    (folder(environment, secure.host) / "ca.crt").write_bytes(pem(authority)[0])
    registry.repos = secure.repos
    secure.trouble = lambda handler: handler.reply(307, location=f"http://{registry.host}{handler.path}") or True
    with pytest.raises(FetchError, match="plain http"):
        ask(environment, secure)
    assert registry.seen == []
