# SPDX-License-Identifier: MIT
"""What the BitBake layer changes in recipes of others: where the distribution asks for it, and as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
APPENDS = sorted((ROOT / "meta-pycontainer").rglob("*.bbappend"))
GATED = r"require \$\{@bb\.utils\.contains\('DISTRO_FEATURES', 'pycontainer', '([^']+)', '', d\)\}\n"


@pytest.mark.parametrize("path", APPENDS, ids=lambda path: path.stem)
def test_a_recipe_of_others_is_changed_for_our_distribution_alone(path: Path) -> None:
    gate = re.fullmatch("# SPDX-License-Identifier: MIT\n" + GATED, path.read_text())
    assert gate, "an append has one line, and that asks for the distribution feature"
    assert (ROOT / "meta-pycontainer" / gate[1]).is_file()


def fragment() -> dict[str, str]:
    lines = (ROOT / "meta-pycontainer/recipes-kernel/linux/files/pycontainer.cfg").read_text().splitlines()
    return dict(line.removeprefix("CONFIG_").split("=", 1) for line in lines if line.startswith("CONFIG_"))


# Kconfig of Linux, net/netfilter and net/ipv4/netfilter: which option has an expression; None: nf_tables itself.
EXPRESSIONS = {
    "meta": None, "payload": None, "bitwise": None, "immediate": None, "cmp": None,
    "ct": "NFT_CT", "fib": "NFT_FIB_IPV4", "masq": "NFT_MASQ", "nat": "NFT_NAT",
}  # fmt: skip


def test_the_kernel_has_every_expression_that_the_device_program_writes_rules_of() -> None:
    source = (ROOT / "meta-pycontainer/recipes-core/pycontainer-device/files/src/nft.c").read_text()
    used = set(re.findall(r'begin\(batch, "([a-z]+)"\)', source))
    assert used
    assert {option for name in used if (option := EXPRESSIONS[name])} <= fragment().keys()


def test_a_security_module_that_is_built_in_is_switched_on() -> None:
    options = fragment()
    switched_on = options["LSM"].strip('"').split(",")
    assert {"apparmor", "yama"} <= set(switched_on)
    assert options["SECURITY_APPARMOR"] == options["SECURITY_YAMA"] == "y"


def test_the_page_names_every_kernel_that_gets_the_fragment() -> None:
    page = (ROOT / "docs" / "yocto.md").read_text()
    [words] = re.findall(r"Kernels get .*?by themselves\.", page, re.DOTALL)
    named: list[str] = []
    for word in re.findall(r"`(linux-[a-z.-]+|-[a-z]+)`", words):
        base = next(name for name in reversed(named) if not name.endswith(("-rt", "-lts"))) if word[0] == "-" else ""
        named.append(base.removesuffix("-imx") + word)
    assert sorted(named) == sorted(path.stem.removesuffix("_%") for path in APPENDS if path.stem.startswith("linux-"))
