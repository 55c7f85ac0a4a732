# SPDX-License-Identifier: MIT
"""Which certificates count at a registry: the system's, those of containers-certs.d(5), and PYCONTAINER_CA."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import ConfigError

_SYSTEM = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


def certificate_folders(host: str, environment: Mapping[str, str]) -> list[Path]:
    """Return the folders that may hold certificates of a registry (`host` with its port), the user's own first."""
    config = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "/") / ".config")
    return [base / host for base in (config / "containers" / "certs.d", *_SYSTEM)]


def tls_context(host: str, *, insecure: bool, environment: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """Return the TLS settings for a registry; `insecure` takes any certificate.

    Certificate authorities of the first folder that exists, and those in the file that PYCONTAINER_CA names, are
    trusted beside the system's (which OpenSSL finds, SSL_CERT_FILE and SSL_CERT_DIR included). Raises ConfigError for
    files that are no certificates, and a client certificate without its key.
    """
    around = os.environ if environment is None else environment
    own = around.get("PYCONTAINER_CA")
    folder = next((each for each in certificate_folders(host, around) if each.is_dir()), None)
    if own is None and folder is None:
        return _system(insecure)
    context = _fresh(insecure)
    if own:
        _trust(context, Path(own), "PYCONTAINER_CA names it")
    for path in sorted(folder.iterdir()) if folder else []:
        if path.suffix == ".crt":
            _trust(context, path, f"a certificate authority of {host}")
        elif path.suffix == ".cert":
            _identify(context, path)
        elif path.suffix == ".key" and not path.with_suffix(".cert").exists():
            raise ConfigError(
                f"{path} has no certificate", f"{path.with_suffix('.cert').name} is missing", "add it, or remove it"
            )
    return context


@functools.cache
def _system(insecure: bool) -> ssl.SSLContext:
    """Return the settings for servers about which nothing is configured: the system's authorities are many."""
    return _fresh(insecure)


def _fresh(insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(context: ssl.SSLContext, path: Path, why: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as problem:
        reason = f"{why}; {problem.strerror or 'it holds no PEM certificate'}"
        raise ConfigError(f"the certificates in {path} cannot be used", reason, "give it as PEM") from problem


def _identify(context: ssl.SSLContext, path: Path) -> None:
    try:
        # An encrypted key would ask at the terminal: give it a wrong password, and it is refused instead.
        context.load_cert_chain(path, path.with_suffix(".key"), password="")
    except (OSError, ssl.SSLError, ValueError) as problem:
        raise ConfigError(
            f"the client certificate {path} cannot be used",
            "it and its .key of the same name must be PEM, belong together, and the key must not be encrypted",
            "mend or remove it",
        ) from problem
