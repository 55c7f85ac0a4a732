# SPDX-License-Identifier: MIT
"""The names that revisions have: tags, channels, what was last seen of remotes, ids, and steps back from any of them.

The grammar is that of gitrevisions(7) as far as it makes sense here: NAME, NAME~2, NAME^, NAME^2, HEAD.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from orchestrator.errors import ConfigError
from orchestrator.history.graph import Commit, Graph
from orchestrator.oci import INDEX_TYPE, Descriptor, Store
from orchestrator.revision import RELEASE_TYPE, Release, Revision, candidate_tag, read_release, read_revision
from orchestrator.revision.parts import CHANNEL, CHANNEL_LIMIT

DEFAULT_CHANNEL = "main"
HEAD = "HEAD"
CANDIDATE = "candidate"
SHORTEST_ID = 4

_CHANNEL = re.compile(rf"{CHANNEL}\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
"""A tag as distribution-spec writes it, so that every tag of a store can be one of a registry."""
_CHANNEL_TAG = re.compile(rf"channel/({CHANNEL})/([^/]+)\Z")
_REMOTE_TAG = re.compile(rf"remote/([^/]+)/({CHANNEL})/([^/]+)\Z")
_RELEASE_TAG = re.compile(rf"release/({CHANNEL})\Z")
_REFERRERS_TAG = re.compile(r"sha256-[0-9a-f]{64}\Z")
_REVISION = re.compile(r"(?P<base>[^~^]*)(?P<steps>(?:[~^][0-9]*)*)\Z", re.ASCII)
_STEP = re.compile(r"([~^])([0-9]*)")
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})\Z")
_STEPS_MAX = 100_000


def channel_tag(channel: str, machine: str) -> str:
    """Return the tag of a channel's head: `channel/<name>/<machine>`; raises ConfigError for a name out of form."""
    check_channel(channel)
    return f"channel/{channel}/{machine}"


def remote_tag(remote: str, channel: str, machine: str) -> str:
    """Return the tag of what a channel of a remote was when it was last seen: `remote/<remote>/<channel>/<machine>`."""
    check_channel(channel)
    return f"remote/{remote}/{channel}/{machine}"


def release_tag(channel: str) -> str:
    """Return the tag of the release that groups the heads of a channel: `release/<name>`."""
    check_channel(channel)
    return f"release/{channel}"


def release_of(tag: str) -> str | None:
    """Return the channel that a tag is the release of, or None."""
    found = _RELEASE_TAG.match(tag)
    return found[1] if found and len(found[1]) <= CHANNEL_LIMIT else None


def check_channel(channel: str) -> None:
    """Raise ConfigError unless a channel may have this name."""
    if len(channel) > CHANNEL_LIMIT or not _CHANNEL.match(channel) or channel == CANDIDATE:
        raise ConfigError(
            f"not a name for a channel: {channel!r}",
            f"lower-case letters and digits, joined by single - or _, {CHANNEL_LIMIT} characters at most, and not "
            f"{CANDIDATE}",
            "choose another name, for example stable",
        )


def check_tag(name: str, store: Store, machine: str) -> None:
    """Raise ConfigError unless a user may give this tag."""
    reserved = name in (HEAD, CANDIDATE) or _REFERRERS_TAG.match(name) or re.fullmatch(r"[0-9a-f]{64}", name)
    if not _TAG.match(name) or reserved:
        why = "it means something already" if reserved else "letters, digits, - . and _, 128 characters at most"
        raise ConfigError(f"not a tag: {name!r}", why, "choose another name, for example v1.2.0")
    if _CHANNEL.match(name) and channel_tag(name, machine) in store.tags():
        raise ConfigError(f"{name!r} is a channel", "a tag of the same name would hide it", "choose another name")


def is_user_tag(name: str) -> bool:
    """Whether a tag is one that a user gave: not a channel, a candidate, a remote's, or a store's own."""
    return "/" not in name and not _REFERRERS_TAG.match(name)


def is_release_entry(entry: Descriptor) -> bool:
    """Whether an entry of the index is a release."""
    return entry.media_type == INDEX_TYPE and entry.artifact_type == RELEASE_TYPE


def channel_of(tag: str) -> tuple[str, str] | None:
    """Return channel and machine that a tag is the head of, or None."""
    found = _CHANNEL_TAG.match(tag)
    return (found[1], found[2]) if found else None


@dataclass(frozen=True)
class Names:
    """Finds revisions of a store by the names that people give; HEAD is the head of `channel` for `machine`."""

    store: Store
    machine: str
    channel: str = DEFAULT_CHANNEL

    def load(self, name: str) -> Revision:
        """Return a revision by any of its names.

        Raises ConfigError for a name that nothing has or that several have, saying what there is; VerificationError
        when the revision is missing or damaged.
        """
        return read_revision(self.store, self.find(name))

    def find(self, name: str) -> str:
        """Return the id of a revision by any of its names; raises what `load` does."""
        found = _REVISION.match(name)
        if found is None:
            raise self.unknown(name)
        digest = self._base(found["base"] or HEAD)
        for sign, digits in _STEP.findall(found["steps"]):
            count = int(digits[:9]) if digits else 1
            digest = self._back(name, digest, count) if sign == "~" else self._parent(name, digest, count)
        return digest

    def release(self, name: str) -> Release | None:
        """Return the release that a tag of the store stands for, or that has this id, or None when it is none.

        Raises ConfigError for the beginning of an id that something else has too.
        """
        entry = self.store.resolve(name)
        if entry is not None:
            return read_release(self.store, entry.digest) if is_release_entry(entry) else None
        found = _ID.match(name)
        if found is None:
            return None
        listed = {each.digest for each in self.store.entries() if is_release_entry(each)}
        matches = sorted(each for each in listed if each[7:].startswith(found[1]))
        if matches and (others := [*matches[1:], *self._ids(found[1])]):
            told = " and ".join(each[7:23] for each in (matches[0], *others[:3]))
            raise ConfigError(f"the name {name!r} is ambiguous", f"it begins {told}", "give more digits")
        return read_release(self.store, matches[0]) if matches else None

    def meant(self, entry: Descriptor) -> str | None:
        """Return the revision that an entry of the index means here: of a release the machine's, which may be none."""
        if not is_release_entry(entry):
            return entry.digest
        return read_release(self.store, entry.digest).machines.get(self.machine)

    def head(self, channel: str | None = None) -> Descriptor | None:
        """Return what the head of a channel stands for, or None when nothing was committed to it."""
        return self.store.resolve(channel_tag(channel or self.channel, self.machine))

    def channels(self) -> dict[str, Descriptor]:
        """Return the heads of this machine's channels by name."""
        found = ((channel_of(tag), entry) for tag, entry in self.store.tags().items())
        return {each[0]: entry for each, entry in found if each is not None and each[1] == self.machine}

    def remotes(self) -> dict[str, Descriptor]:
        """Return what was last seen of remotes for this machine, by `<remote>/<channel>`."""
        found = ((_REMOTE_TAG.match(tag), entry) for tag, entry in self.store.tags().items())
        return {f"{each[1]}/{each[2]}": entry for each, entry in found if each and each[3] == self.machine}

    def _base(self, name: str) -> str:
        tags = self.store.tags()
        if name in (HEAD, "@"):
            return self._head()
        if name == CANDIDATE:
            candidate = tags.get(candidate_tag(self.machine))
            if candidate is None:
                raise ConfigError(
                    f"there is no candidate for {self.machine}", "nothing was built", "build first: pycontainer build"
                )
            return candidate.digest
        meanings = {}
        if name in tags and not _REFERRERS_TAG.match(name):
            release = self.release(name)
            meanings[f"the tag {name}"] = release.of(self.machine).revision if release else tags[name].digest
        if (channel := self.channels().get(name)) is not None:
            meanings[f"the channel {name}"] = channel.digest
        if (remote := self.remotes().get(name)) is not None:
            meanings[f"the remote's {name}"] = remote.digest
        if len(set(meanings.values())) > 1:
            raise ConfigError(
                f"the name {name!r} is ambiguous",
                "it is " + " and ".join(f"{what} ({digest[7:19]})" for what, digest in meanings.items()),
                f"name the channel channel/{name}/{self.machine}, or give the id",
            )
        if meanings:
            return next(iter(meanings.values()))
        if (release := self.release(name)) is not None:
            return release.of(self.machine).revision
        return self._by_id(name)

    def _head(self) -> str:
        head = self.head()
        if head is None:
            others = self._others(self.channel)
            raise ConfigError(
                f"nothing was committed to the channel {self.channel} for {self.machine} yet",
                f"there is one for {', '.join(others)}" if others else self._what_there_is(),
                f"name the machine: --machine {others[0]}"
                if others
                else "commit the last build: pycontainer commit -m MESSAGE",
            )
        return head.digest

    def _others(self, channel: str) -> list[str]:
        """Return the other machines that have a channel."""
        found = (channel_of(tag) for tag in self.store.tags())
        return sorted(each[1] for each in found if each is not None and each[0] == channel)

    def _by_id(self, name: str) -> str:
        found = _ID.match(name)
        if found is None:
            raise self.unknown(name)
        matches = self._ids(found[1])
        if not matches and len(found[1]) == 64 and self.store.has_blob(f"sha256:{found[1]}"):
            return f"sha256:{found[1]}"  # what has no name any more, and was not collected yet
        if len(matches) == 1:
            return matches[0]
        if matches:
            graph = Graph(self.store)
            listed = [f"{each[7:23]} {graph.subject(each)}".strip() for each in matches[:4]]
            more = f" and {len(matches) - 4} more" if len(matches) > 4 else ""
            raise ConfigError(
                f"the name {name!r} is ambiguous", f"it begins {'; '.join(listed)}{more}", "give more digits"
            )
        raise self.unknown(name)

    def _ids(self, digits: str) -> list[str]:
        """Return the revisions whose ids begin so."""
        return sorted(digest for digest in Graph(self.store).known() if digest[7:].startswith(digits))

    def _back(self, name: str, digest: str, count: int) -> str:
        for _ in range(min(count, _STEPS_MAX)):
            digest = self._parent(name, digest, 1)
        return digest

    def _parent(self, name: str, digest: str, number: int) -> str:
        if number == 0:
            return digest
        commit = Commit.read(self.store, digest)
        if not commit.parents:
            raise ConfigError(
                f"no revision {name!r}", f"{commit.short} is the first of its history: it has no parent", _LOG
            )
        if number > len(commit.parents):
            raise ConfigError(f"no revision {name!r}", f"{commit.short} has {len(commit.parents)} parent", _LOG)
        parent = commit.parents[number - 1]
        if not self.store.has_blob(parent):
            raise ConfigError(
                f"the revision {name!r} is not here",
                f"it is {parent[7:19]}, and this store has the history from {commit.short} on only",
                "fetch it from where the history came from: pycontainer fetch REMOTE --depth N",
            )
        return parent

    def unknown(self, name: str) -> ConfigError:
        """The error for a name that nothing has: what there is, and what was perhaps meant."""
        if others := self._others(name):
            what, why = f"no revision {name!r} for {self.machine}", f"the channel has one for {', '.join(others)}"
            return ConfigError(what, why, f"name the machine: --machine {others[0]}")
        names = [*self.channels(), *filter(is_user_tag, self.store.tags()), *self.remotes(), HEAD, CANDIDATE]
        near = difflib.get_close_matches(name.partition("~")[0].partition("^")[0], names, n=1, cutoff=0.5)
        if near:
            hint = f"did you mean '{near[0]}'?"
        elif re.fullmatch(r"[0-9a-f]{1,3}", name):
            hint = f"give {SHORTEST_ID} or more digits of an id"
        else:
            hint = f"give a tag, a channel, or {SHORTEST_ID} or more digits of an id: pycontainer log --all lists them"
        return ConfigError(f"no revision {name!r}", self._what_there_is(), hint)

    def _what_there_is(self) -> str:
        tags = self.store.tags()
        parts = []
        for word, found in (
            ("channels", list(self.channels())),
            ("tags", [tag for tag in tags if is_user_tag(tag)]),
            ("remotes", list(self.remotes())),
        ):
            if found:
                more = f" and {len(found) - 6} more" if len(found) > 6 else ""
                parts.append(f"{word} {', '.join(found[:6])}{more}")
        if candidate_tag(self.machine) in tags:
            parts.append(f"the {CANDIDATE} {tags[candidate_tag(self.machine)].digest[7:19]}")
        if not parts:
            return f"the store at {self.store.root} has no revision for {self.machine}"
        return "the store has " + "; ".join(parts)


_LOG = "pycontainer log shows the history"
