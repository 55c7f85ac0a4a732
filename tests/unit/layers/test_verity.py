# SPDX-License-Identifier: MIT
"""The fs-verity digest computed here is the one that the kernel's own tool computes."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from orchestrator.layers.verity import fsverity_digest

# Computed once by `fsverity digest` of fsverity-utils 1.5, so that the check stands where the program is missing.
KNOWN = {
    b"": "sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
    bytes(i % 251 for i in range(600_000)): "sha256:06d5be5c1f84f55006b5826aec720b80e5d95f30e170be7e1d6aae61755f1ae4",
}
SIZES = [0, 1, 4095, 4096, 4097, 128 * 4096, 128 * 4096 + 1, 256 * 4096, 256 * 4096 + 5, 3_000_001]


def test_known_files_have_their_known_digests(tmp_path):
    for data, digest in KNOWN.items():
        (tmp_path / "f").write_bytes(data)
        assert fsverity_digest(tmp_path / "f") == digest


@pytest.mark.parametrize("size", SIZES)
def test_the_digest_is_that_of_the_fsverity_program(tmp_path, size):
    program = shutil.which("fsverity")
    if program is None:
        pytest.skip("fsverity is not installed")
    path = tmp_path / "f"
    path.write_bytes(random.Random(size).randbytes(size))
    shown = subprocess.run([program, "digest", "--compact", path], capture_output=True, text=True, check=True).stdout
    assert fsverity_digest(path) == f"sha256:{shown.strip()}"
