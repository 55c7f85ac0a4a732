# SPDX-License-Identifier: MIT
"""Talking to a device: its control protocol over a virtual machine's port, a serial line or ssh.

    link = Link(parse_transport("unix:/run/control"))       # connects when asked, and again when it was lost
    link.ask_for("status", Status)                          # LinkError (75): no answer; DeviceError (5): it refuses
    install(link, bundle, revision, listener)               # blob by blob; goes on where a lost link stopped
    outcome = update(link, bundle, revision, listener)      # install, try, wait: confirmed or rolled back

The protocol is lines of JSON: one object asks, objects answer, the last has `ok` or `error`. A device is trusted no
more than any stranger: its lines are bounded and parsed strictly, its texts lose their control characters.
"""

from __future__ import annotations

from orchestrator.device.answers import DeviceError
from orchestrator.device.link import Link
from orchestrator.device.protocol import Connection
from orchestrator.device.sending import Listener, install
from orchestrator.device.stream import LinkError, Stream
from orchestrator.device.transports import Transport, parse_transport
from orchestrator.device.trial import Outcome, try_revision, update

__all__ = [
    "Connection",
    "DeviceError",
    "Link",
    "LinkError",
    "Listener",
    "Outcome",
    "Stream",
    "Transport",
    "install",
    "parse_transport",
    "try_revision",
    "update",
]
