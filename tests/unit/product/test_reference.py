# SPDX-License-Identifier: MIT
"""References of images: what skopeo's words mean, and that nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.product.reference import ImageReference, parse_reference

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("registry.example/app", ImageReference("docker", "registry.example/app")),
        ("registry.example/team/app:1.2", ImageReference("docker", "registry.example/team/app", "1.2")),
        ("docker://localhost:5000/app:1", ImageReference("docker", "localhost:5000/app", "1")),
        ("docker://[::1]:5000/app", ImageReference("docker", "[::1]:5000/app")),
        (f"registry.example/app@{DIGEST}", ImageReference("docker", "registry.example/app", "", DIGEST)),
        (
            f"docker://registry.example/a_b--c:t@{DIGEST}",
            ImageReference("docker", "registry.example/a_b--c", "t", DIGEST),
        ),
        ("oci:images/web", ImageReference("oci", "images/web")),
        ("oci:images/web:1.2", ImageReference("oci", "images/web", "1.2")),
        (f"oci:images/web@{DIGEST}", ImageReference("oci", "images/web", "", DIGEST)),
        (
            "oci-archive:web.tar:registry.example/app:1",
            ImageReference("oci-archive", "web.tar", "registry.example/app:1"),
        ),
        ("docker-archive:/srv/web.tar:app:1", ImageReference("docker-archive", "/srv/web.tar", "app:1")),
    ],
)
def test_a_reference_means_what_skopeo_means(text: str, meaning: ImageReference):
    assert parse_reference(text) == meaning
    assert parse_reference(str(meaning)) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nginx",
        "nginx:1.25",
        "team/nginx",
        "docker:registry.example/app",
        "https://registry.example/app",
        "dir:/srv/image",
        "containers-storage:app",
        "docker-daemon:app:1",
        "registry.example/App",
        "registry.example/app:",
        "registry.example/app:a b",
        "registry.example/app@sha256:12",
        "registry.example/app@md5:" + "0" * 32,
        "registry.example/../app",
        "registry.example:0/app",
        "registry.example:70000/app",
        "-bad.example/app",
        "registry.example//app",
        f"{'x' * 64}.example/app",
        "registry.example:٣/app",
        "[1.2.3.4]:5000/app",
        "[::::]/app",
        "oci:",
        "oci::tag",
        "oci:web:two words",
        "oci:web@sha256:12",
        "oci:web\0",
    ],
)
def test_anything_else_is_refused_with_the_forms_that_there_are(text: str):
    with pytest.raises(ValueError, match=r"write for example registry\.example/app:1\.2"):
        parse_reference(text)


@given(st.text(max_size=80))
def test_every_text_is_a_reference_that_can_be_written_back_or_is_refused(text: str):
    try:
        found = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(found)) == found
