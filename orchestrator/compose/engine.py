# SPDX-License-Identifier: MIT
"""The capabilities that an engine leaves a container which says nothing, and what they cost on the device."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.compose.draft import Draft

DOCKER_CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""What Docker leaves a container that says nothing: docker run, "Runtime privilege and Linux capabilities"."""

_LOW_PORTS = "NET_BIND_SERVICE"
# Without effect for users of a container's own: the first always, the second over a network that is not theirs.
_DEVICE = frozenset({"AUDIT_WRITE", "MKNOD"})
_NETWORK = frozenset({_LOW_PORTS, "NET_RAW"})


def give_capabilities(draft: Draft, dropped: Collection[str]) -> None:
    """Give a service the engine's capabilities without those `dropped`, if they are to be kept; say what it lacks.

    What would take away its users of its own is a relaxation by itself, so that a review can leave that out alone.
    """
    granted = {word for each in draft.layer.get("relax", []) for word in each.get("capabilities", [])}
    left = [] if "ALL" in dropped else [name for name in DOCKER_CAPABILITIES if name not in {*dropped, *granted}]
    if not left:
        return
    if not draft.around.keep_defaults:
        draft.tightened.append(
            "no capabilities but those of cap_add: a program that begins as root and changes its user, or the owner of "
            "files, fails"
        )
        return
    if _LOW_PORTS in left and (draft.layer.get("network") == "bridge" or "ports" in draft.layer):
        left.remove(_LOW_PORTS)
        draft.tightened.append(
            f"without {_LOW_PORTS}: on the bridge every user serves on every port; a program that has it in its file "
            "(getcap) starts only with it"
        )
    costly = _DEVICE if draft.facts.get("network") == "none" else _DEVICE | _NETWORK
    cheap, dear = ([name for name in left if (name in costly) is wanted] for wanted in (False, True))
    reason = f"to be reviewed: imported from {draft.around.file.name} with Docker's default capabilities"
    if cheap:
        draft.add("relax", {"capabilities": cheap, "reason": reason})
    if dear:
        draft.add("relax", {"capabilities": dear, "reason": f"{reason}, of which these cost its users of its own"})
        draft.tightened.append(
            f"its root is root on the device as long as it keeps {', '.join(dear)}: few programs use them, and without "
            "them it has users of its own"
        )
