# SPDX-License-Identifier: MIT
"""Whatever stands in a compose file, the importer answers: by an account of it, or by an error of three lines."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.compose import Request, import_compose
from orchestrator.compose.importer import FILE, SERVICE, TOP
from orchestrator.errors import ConfigError

WORDS = (
    "", "0", "-1", "1", "80:80", "127.0.0.1:1:1", "[::1]:1:1", "::1:1:1", "true", "false", "1m30s", "64m", "data",
    "data:/d:ro", "./conf:/c:ro", "/a", "/a/../b", "a=b", "=", "a:b:c:d", "host", "none", "CMD", "ALL", "${X:-}", "$X",
    "/dev/ttyS1:/dev/x:rwm", "on-failure:3", "db", "seccomp=unconfined", "é\x7f", "9" * 30, "a\nb", "0999", "1e9",
)  # fmt: skip
KEYS = (
    "path", "source", "target", "type", "published", "mode", "uid", "condition", "required", "db", "data", "test",
    "interval", "limits", "resources", "memory", "options", "max-size", "driver", "soft", "hard", "file", "external",
    "bogus", "x-more", "nofile", "net.core.somaxconn", "default", "",
)  # fmt: skip
scalars = st.none() | st.sampled_from(WORDS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
services = st.dictionaries(st.sampled_from(sorted(SERVICE)), values, max_size=6)
tops = st.dictionaries(st.sampled_from(sorted({*TOP, *FILE, "x-all"})), values, max_size=3)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(services, services, tops, st.booleans())
def test_any_values_are_accounted_for_or_refused(tmp_path: Path, app, db, top, keep_defaults):
    text = yaml.safe_dump(top | {"services": {"app": app, "db": db}}, allow_unicode=True)
    (tmp_path / "compose.yaml").write_text(text)
    request = Request(tmp_path / "compose.yaml", tmp_path, drop=["init"], keep_defaults=keep_defaults)
    try:
        result = import_compose(request)
    except ConfigError as problem:
        assert problem.what
        return
    for service, given_keys in zip(result.services, (app, db), strict=False):
        told = {entry.path for entry in service.entries}
        for key in given_keys:
            assert any(path.startswith(f"{service.service}.{key}") for path in told), (key, told)
    assert all(entry.why for entry in result.all_entries if entry.status != "honoured")
