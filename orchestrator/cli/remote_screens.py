# SPDX-License-Identifier: MIT
"""The screens of push, pull, fetch, clone, ls-remote and remote, and the same as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from orchestrator import remotes
from orchestrator.cli.screens import near, program, render, table
from orchestrator.product.units import format_size


def moved(amount: remotes.Moved) -> str:
    """What was moved, in one short phrase."""
    return f"{format_size(amount.bytes)} moved" if amount.bytes else "nothing to move"


def _count(number: int) -> str:
    return "1 revision" if number == 1 else f"{number} revisions"


def _short(digest: str | None) -> str:
    return "-" if not digest else digest.removeprefix("sha256:")[:12]


def _step(before: str | None, after: str) -> str:
    return f"{_short(before)}..{_short(after)}" if before else _short(after)


def push_screen(done: remotes.Sent, remote: str, tags: Mapping[str, str]) -> str:
    """The end of a push; `tags` are those that were set, with what they stand for."""
    config = done.pushed[0].revision.config
    head = Text.assemble((f"{config.product} {config.version}", "bold"), f" to {remote}")
    several = len(done.pushed) > 1 or done.release is not None
    rows = [(each.revision.config.machine, *_pushed_row(each)) for each in done.pushed]
    line = done.pushed[0].channel
    if done.release is not None and line is not None:
        rows.append((", ".join(done.release.machines), line.name, done.release.short, "release", ""))
    rows += [("", tag, _short(digest), "tag", "") for tag, digest in tags.items()]
    names = ("machine", "name", "revision", "what", "pointer") if several else ("name", "revision", "what", "pointer")
    shown = rows if several else [row[1:] for row in rows]
    count = sum(each.count for each in done.pushed)
    sent = f"{_count(count)} sent, {moved(done.moved)}" if count else f"no revision was lacking, {moved(done.moved)}"
    return render(head, "", table([(name, "left") for name in names], shown), "", sent)


def _pushed_row(done: remotes.Pushed) -> tuple[str, str, str, str]:
    if done.channel is None:
        return "-", _short(done.revision.id), "no channel moved", ""
    if done.before == done.revision.id:
        what = "up to date"
    elif done.before is None:
        what = "new channel"
    else:
        what = "forced: revisions are lost there" if done.forced else "forward"
    number = f"version {done.pointer.pointer.version}" if done.pointer else ""
    return done.channel.name, _step(done.before, done.revision.id), what, number


def push_data(done: remotes.Sent, remote: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """A push as plain values: of the first machine, of each, and the release that the channel's name stands for."""
    first = _pushed_data(done.pushed[0], remote)
    return first | {
        "machines": [_pushed_data(each, remote) for each in done.pushed],
        "release": done.release.id if done.release else None,
        "moved": done.moved.bytes,
        "tags": list(tags),
        "unchanged": all(each.unchanged for each in done.pushed) and done.moved.bytes == 0,
    }


def _pushed_data(done: remotes.Pushed, remote: str) -> dict[str, Any]:
    return {
        "remote": remote,
        "revision": done.revision.id,
        "channel": done.channel.name if done.channel else None,
        "machine": done.revision.config.machine,
        "before": done.before,
        "forced": done.forced,
        "pointerVersion": done.pointer.pointer.version if done.pointer else None,
        "revisions": done.count,
        "moved": done.moved.bytes,
        "unchanged": done.unchanged,
    }


_OUTCOMES = {
    "new": "new channel here",
    "forward": "forward",
    "same": "up to date",
    "reset": "set to what is there",
}


def pull_screen(pulled: Sequence[remotes.Pulled], remote: str, releases: Mapping[str, str]) -> str:
    """The end of a pull; `releases` are what channels have now, by their names."""
    outcomes = [
        _OUTCOMES.get(each.outcome) or f"up to date; here are {_count(each.ahead)} more: push them" for each in pulled
    ]
    lines = [f"release {_short(digest)} of {name}" for name, digest in releases.items()]
    return "\n".join([_brought_screen([each.fetched for each in pulled], outcomes, remote), *lines])


def fetch_screen(fetched: Sequence[remotes.Fetched], tagged: Sequence[remotes.FetchedTag], remote: str) -> str:
    """The end of a fetch: of channels, and of tags that were named."""
    outcomes = [
        "up to date" if each.before == each.revision.id else _step(each.before, each.revision.id) for each in fetched
    ]
    parts = [_brought_screen(fetched, outcomes, remote)] if fetched else []
    for each in tagged:
        rows = [(each.tag, one.config.machine, one.short, one.config.version) for one in each.revisions]
        columns = [(name, "left") for name in ("tag", "machine", "revision", "version")]
        what = f"release {each.release.short}" if each.release else "one revision"
        who = ", ".join(key[:12] for key in each.signed_by)
        came = f"{_count(each.count)} came, {moved(each.moved)}"
        parts.append(render(f"{what} from {remote}, signed by {who}", "", table(columns, rows), "", came))
    return "\n\n".join(parts)


def _brought_screen(fetched: Sequence[remotes.Fetched], outcomes: Sequence[str], remote: str) -> str:
    rows = [(*row, outcome) for row, outcome in zip(_rows(fetched), outcomes, strict=True)]
    return render(_head(fetched, remote), "", table([*_COLUMNS, ("", "left")], rows), "", _came(fetched))


def _head(fetched: Sequence[remotes.Fetched], remote: str) -> Text:
    machines = dict.fromkeys(each.channel.machine for each in fetched)
    return Text.assemble((fetched[0].revision.config.product, "bold"), f" for {', '.join(machines)} from {remote}")


def _came(fetched: Sequence[remotes.Fetched]) -> str:
    total = sum((each.moved for each in fetched), remotes.Moved())
    return f"{_count(sum(each.count for each in fetched))} came, {moved(total)}"


_COLUMNS = [(name, "left") for name in ("channel", "revision", "version", "pointer", "signed by")]


def _rows(fetched: Sequence[remotes.Fetched]) -> list[tuple[str, str, str, str, str]]:
    several = len({each.channel.machine for each in fetched}) > 1
    return [
        (
            str(each.channel) if several else each.channel.name,
            each.revision.short,
            each.revision.config.version,
            str(each.pointer.pointer.version) if each.pointer else "-",
            ", ".join(key[:12] for key in each.signed_by),
        )
        for each in fetched
    ]


def _fetched_data(each: remotes.Fetched) -> dict[str, Any]:
    return {
        "channel": each.channel.name,
        "machine": each.channel.machine,
        "revision": each.revision.id,
        "version": each.revision.config.version,
        "pointerVersion": each.pointer.pointer.version if each.pointer else None,
        "before": each.before,
        "signedBy": list(each.signed_by),
        "revisions": each.count,
        "moved": each.moved.bytes,
    }


def fetch_data(fetched: Sequence[remotes.Fetched], tagged: Sequence[remotes.FetchedTag], remote: str) -> dict[str, Any]:
    """A fetch as plain values."""
    tags = [
        {
            "tag": each.tag,
            "release": each.release.id if each.release else None,
            "machines": {one.config.machine: one.id for one in each.revisions},
            "signedBy": list(each.signed_by),
            "revisions": each.count,
            "moved": each.moved.bytes,
        }
        for each in tagged
    ]
    return {"remote": remote, "channels": [_fetched_data(each) for each in fetched], "tags": tags}


def pull_data(pulled: Sequence[remotes.Pulled], remote: str, releases: Mapping[str, str]) -> dict[str, Any]:
    """A pull as plain values."""
    rows = [
        _fetched_data(each.fetched) | {"outcome": each.outcome, "head": each.head, "ahead": each.ahead}
        for each in pulled
    ]
    return {"remote": remote, "channels": rows, "releases": dict(releases)}


_HOW = {
    "known": "keys that this machine trusted before",
    "given": "the keys that were named",
    "first contact": "first contact: these keys are believed from now on, because nothing here knew better",
}


def clone_screen(done: remotes.Cloned) -> str:
    """The end of a clone: what came, and on whose word."""
    first = done.pulled[0].fetched
    folder = near(str(done.folder))
    kind = "a bare store" if done.bare else "the product"
    parts: list[Any] = [
        Text.assemble((first.revision.config.product, "bold"), f": {kind} in {folder}"),
        "",
        table(_COLUMNS, _rows([each.fetched for each in done.pulled])),
        "",
        Text(f"trusted by {_HOW[done.trusted.how]}", style="yellow" if done.trusted.how == "first contact" else ""),
    ]
    parts += [Text(f"  key {keyid}") for keyid in done.trusted.keyids]
    if done.trusted.how == "first contact":
        parts.append(Text("compare them with what the product's maker tells you over another way", style="yellow"))
    if not done.bare and done.absent is None:
        parts += ["", "the revision carries no sources: there is no product file, only the store and its remote"]
    elif not done.bare:
        parts += [Text(f"missing: {path}, too large to be kept with the revision") for path in done.absent or ()]
        machine = f" --machine {done.machine}" if done.machine else ""
        parts += ["", Text.assemble(("next  ", "bold"), f"cd {folder} && {program()} build{machine}")]
    return render(*parts)


def clone_data(done: remotes.Cloned) -> dict[str, Any]:
    """A clone as plain values."""
    return {
        "folder": str(done.folder),
        "bare": done.bare,
        "sources": done.absent is not None,
        "missing": list(done.absent or ()),
        "trust": done.trusted.how,
        "keys": done.trusted.keyids,
        "pinned": list(done.pinned),
        "channels": [_fetched_data(each.fetched) for each in done.pulled],
    }


def listing_screen(found: Sequence[remotes.Seen], place: str) -> str:
    """What a remote has."""
    if not found:
        return f"{place} has no channel, no tag and no revision"
    rows = []
    for each in found:
        number = "" if each.pointer is None else str(each.pointer)
        what = f"{each.product} {each.version}".strip()
        name = each.name or "-"
        machine = each.machine or ", ".join(each.machines)
        told = each.problem or _signed(each)
        if each.behind:
            told += f"; the channel has moved on for {', '.join(each.behind)}"
        rows.append((each.kind, name, machine, _short(each.revision), what, number, told))
    columns = [
        ("", "left"), ("name", "left"), ("machine", "left"), ("revision", "left"), ("version", "left"),
        ("pointer", "right"), ("signed", "left"),
    ]  # fmt: skip
    return render(table(columns, rows))


def _signed(each: remotes.Seen) -> str:
    who = ", ".join(key[:12] for key in each.signed.keyids)
    words = {"valid": f"by {who}", "unknown key": f"by {who}, not known here", "not signed": "no"}
    return words.get(each.signed.state) or f"WRONG: {each.signed.why}"


def listing_data(found: Sequence[remotes.Seen], place: str) -> dict[str, Any]:
    """The same as plain values."""
    rows = [
        {
            "kind": each.kind,
            "name": each.name or None,
            "revision": each.revision or None,
            "product": each.product or None,
            "version": each.version or None,
            "machine": each.machine or None,
            "machines": dict(each.machines),
            "behind": list(each.behind),
            "pointerVersion": each.pointer,
            "signed": each.signed.state,
            "keys": list(each.signed.keyids),
            "problem": each.problem or None,
        }
        for each in found
    ]
    return {"remote": place, "names": rows}


def remotes_screen(config: remotes.RemoteConfig) -> str:
    """The remotes of a product."""
    if not config.remotes:
        return f"the product has no remote; add one: {program()} remote add origin HOST/NAME"
    rows = [
        (f"{name} (default)" if name == config.default else name, entry.location.kind, entry.url)
        for name, entry in config.remotes.items()
    ]
    return render(table([("remote", "left"), ("kind", "left"), ("place", "left")], rows))


def remotes_data(config: remotes.RemoteConfig) -> dict[str, Any]:
    """The same as plain values."""
    rows = [
        {"name": name, "url": entry.url, "kind": entry.location.kind, "from": entry.origin}
        for name, entry in config.remotes.items()
    ]
    return {"default": config.default, "remotes": rows}
