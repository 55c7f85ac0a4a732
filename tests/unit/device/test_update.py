# SPDX-License-Identifier: MIT
"""A trial is watched to its end: confirmed, rolled back with the reason, or not ended in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.bundle import create, open_bundle
from orchestrator.device import DeviceError, Link, try_revision, update
from orchestrator.device.trial import RolledBackError
from orchestrator.errors import TryAgainError
from tests.unit.bundle.conftest import Shop
from tests.unit.device.conftest import Heard
from tests.unit.device.fake import STATUS, Device

OLD, NEW = "a" * 64, "b" * 64
RECORD: dict[str, Any] = {"generation": 4, "rev": OLD, "try": NEW, "left": 3}


def trial(how: str, *waiting: str) -> dict[str, Any]:
    return {
        "revision": "sha256:" + NEW,
        "from": OLD,
        "how": how,
        "elapsedMs": 1,
        "timeoutMs": 9,
        "waiting": list(waiting),
    }


def trying(how: str, *waiting: str, **more: Any) -> dict[str, Any]:
    return {**STATUS, "revision": NEW, "state": "trying", "trial": trial(how, *waiting), **more}


def outcome(result: str, reason: str | None = None, number: int = 1) -> dict[str, Any]:
    return {"revision": NEW, "result": result, "reason": reason, "trial": number}


CONFIRMED = {**STATUS, "revision": "sha256:" + NEW, "version": "1.0.1", "outcome": outcome("confirmed")}
BACK = {**STATUS, "outcome": outcome("rolled back", "web is not healthy")}


def play(device: Device, *states: dict[str, Any] | None) -> None:
    """Let the device tell one state after the other, the last one from then on; None is a link that is lost."""
    left = list(states)

    def status(request: dict[str, Any]) -> dict[str, Any]:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state is None:
            raise OSError
        return state

    device.answers["status"] = status


def run(link: Link, heard: Heard, **options: Any) -> Any:
    return try_revision(link, "sha256:" + NEW, heard, poll=0.001, **options)


def test_a_live_switch_is_confirmed(device: Device, link: Link, heard: Heard) -> None:
    play(device, STATUS, STATUS, trying("live", "web is starting"), trying("live", "web: 3 s of 10 s"), CONFIRMED)
    ended = run(link, heard)
    assert (ended.result, ended.reason) == ("confirmed", "")
    assert device.verbs().count("try") == 1
    assert heard.said[:3] == [
        f"the trial of revision {NEW[:12]} runs (without a restart)",
        "it waits for: web is starting",
        "it waits for: web: 3 s of 10 s",
    ]
    assert heard.said[-1].startswith("confirmed after ")


def test_a_restart_between_is_waited_for(device: Device, link: Link, heard: Heard) -> None:
    play(
        device, STATUS, {**STATUS, "record": RECORD}, None, None, trying("boot", "rootfs", uptimeMs=9000), CONFIRMED
    )  # fmt: skip
    assert run(link, heard).result == "confirmed"
    assert device.connections == 3
    assert device.verbs().count("try") == 1
    assert any("the device is away" in line for line in heard.said)
    assert any("has restarted, with revision bbbb" in line for line in heard.said)


def test_a_roll_back_gives_its_reason_and_exit_code_5(device: Device, link: Link, heard: Heard) -> None:
    play(device, STATUS, trying("live"), BACK)
    ended = run(link, heard)
    assert (ended.result, ended.reason) == ("rolled back", "web is not healthy")
    with pytest.raises(RolledBackError) as caught:
        ended.check()
    assert (caught.value.exit_code, caught.value.why) == (5, "web is not healthy")


def test_a_kernel_that_never_came_up_is_a_roll_back(device: Device, link: Link, heard: Heard) -> None:
    spent = {**RECORD, "left": 0}
    play(device, STATUS, {**STATUS, "record": RECORD}, None, {**STATUS, "uptimeMs": 8000, "record": spent})
    ended = run(link, heard)
    assert ended.result == "rolled back"
    assert "tells no reason" in ended.reason


def test_the_same_reason_as_last_time_is_still_a_roll_back(device: Device, link: Link, heard: Heard) -> None:
    play(device, BACK, BACK, trying("live", outcome=BACK["outcome"]), BACK)
    ended = run(link, heard)
    assert (ended.result, ended.reason) == ("rolled back", "web is not healthy")


def test_the_same_failure_again_is_told_by_its_number_though_the_trial_was_not_seen(
    device: Device, link: Link, heard: Heard
) -> None:
    play(device, BACK, {**STATUS, "outcome": outcome("rolled back", "web is not healthy", 2)})
    ended = run(link, heard)
    assert (ended.result, ended.reason) == ("rolled back", "web is not healthy")
    assert device.verbs().count("try") == 1


def test_the_outcome_of_another_trial_is_not_this_ones(device: Device, link: Link, heard: Heard) -> None:
    other = {**STATUS, "outcome": {"revision": "c" * 64, "result": "rolled back", "reason": "old"}}
    play(device, other, other, trying("live"), CONFIRMED)
    assert run(link, heard).result == "confirmed"


def test_a_revision_that_runs_already_is_not_tried(device: Device, link: Link, heard: Heard) -> None:
    play(device, CONFIRMED)
    assert run(link, heard).result == "confirmed"
    assert "try" not in device.verbs()


def test_a_refused_trial_is_an_error(device: Device, link: Link, heard: Heard) -> None:
    device.answers["try"] = {"error": "a trial is running"}
    with pytest.raises(DeviceError, match="refuses try"):
        run(link, heard)


def test_a_request_whose_answer_was_lost_is_made_again_only_if_nothing_came_of_it(
    device: Device, link: Link, heard: Heard
) -> None:
    tries = 0

    def attempt(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError
        return {}

    device.answers["try"] = attempt
    play(device, STATUS, STATUS, trying("live"), CONFIRMED)
    assert run(link, heard).result == "confirmed"
    assert tries == 2
    tries = 0
    play(device, STATUS, trying("live"), CONFIRMED)
    assert run(link, heard).result == "confirmed"
    assert tries == 1


def test_time_is_up_with_exit_code_75_and_what_is_waited_for(device: Device, link: Link, heard: Heard) -> None:
    play(device, STATUS, trying("live", "a person confirms it"))
    with pytest.raises(TryAgainError, match="has not ended") as caught:
        run(link, heard, limit=0.2)
    assert caught.value.exit_code == 75
    assert "it waits for: a person confirms it" in caught.value.why


def test_waiting_ends_when_it_makes_no_sense_any_more(device: Device, link: Link, heard: Heard) -> None:
    play(device, STATUS, None)
    with pytest.raises(TryAgainError, match="has not ended"):
        run(link, heard, go_on=lambda: False)


def test_an_update_installs_and_then_tries(
    device: Device, link: Link, heard: Heard, shop: Shop, tmp_path: Path
) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b.tar")
    states = [STATUS, {**STATUS, "revision": shop.second.hex}]
    play(device, *states)
    with open_bundle(tmp_path / "b.tar") as bundle:
        assert update(link, bundle, shop.second, heard, poll=0.001).result == "confirmed"
    verbs = device.verbs()
    assert verbs.index("try") > verbs.index("install")
    assert any("is installed, 9 blobs were sent" in line for line in heard.said)
    assert device.asked[[request["verb"] for request in device.asked].index("try")]["revision"] == shop.second.id
