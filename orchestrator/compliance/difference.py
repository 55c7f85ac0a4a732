# SPDX-License-Identifier: MIT
"""What changed from one document to another, as an auditor of a release asks: components, layers, licences, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.compliance.bill import Bill, Element, purl_parts
from orchestrator.compliance.checks.layers import census
from orchestrator.compliance.expressions import copyleft, terms_of
from orchestrator.sbom.versions import compare_debian, compare_semantic


@dataclass(frozen=True, slots=True)
class Change:
    """A component that is in both: what it was and is; equal texts where nothing changed."""

    layer: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Single:
    """A component that is in one of the two only."""

    layer: str
    name: str
    version: str
    licence: str


@dataclass
class Difference:
    """Every change, each list by layer and name. `copyleft` are licences that a component did not have before and
    that are copyleft; `unowned` counts of files that nothing accounts for, where they changed."""

    added: list[Single] = field(default_factory=list)
    removed: list[Single] = field(default_factory=list)
    upgraded: list[Change] = field(default_factory=list)
    downgraded: list[Change] = field(default_factory=list)
    rebuilt: list[Change] = field(default_factory=list)
    moved: list[Change] = field(default_factory=list)
    licences: list[Change] = field(default_factory=list)
    copyleft: list[Single] = field(default_factory=list)
    unowned: list[Change] = field(default_factory=list)
    layers: list[Change] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not any(getattr(self, name) for name in self.__dataclass_fields__)


Key = tuple[str, str]


def _named(component: Element) -> str:
    """What stays of a component from one version to the next: its package URL without version, or its name."""
    kind, name, _, qualifiers = purl_parts(component.purl)
    return f"{kind}/{name}?{qualifiers.get('arch', '')}" if kind else component.name


def _components(bill: Bill) -> dict[Key, list[Element]]:
    found: dict[Key, list[Element]] = {}
    for component in bill.components:
        found.setdefault((bill.layer_of.get(component.id, ""), _named(component)), []).append(component)
    return found


def compare(before: Bill, after: Bill) -> Difference:
    """Return what changed from `before` to `after`."""
    result = Difference()
    _layers(result, before, after)
    old, new = _components(before), _components(after)
    gone = {key: found for key, found in old.items() if key not in new}
    come = {key: found for key, found in new.items() if key not in old}
    for key in sorted(old.keys() & new.keys()):
        for one, other in _paired(old[key], new[key], key, gone, come):
            _changed(result, before, after, key[0], one, other)
    _moves(result, before, after, gone, come)
    for (layer, _), found in sorted(gone.items()):
        result.removed += [_single(layer, component) for component in found]
    for (layer, _), found in sorted(come.items()):
        for component in found:
            result.added.append(_single(layer, component))
            _new_copyleft(result, after, layer, component, set())
    return result


def _paired(
    old: list[Element], new: list[Element], key: Key, gone: dict[Key, list[Element]], come: dict[Key, list[Element]]
) -> Iterator[tuple[Element, Element]]:
    """Pair equal versions first, then what is left in order; what has no partner came or went."""
    versions = {component.version: component for component in new}
    pairs = [(component, versions[component.version]) for component in old if component.version in versions]
    same = {id(element) for pair in pairs for element in pair}
    left = [component for component in old if id(component) not in same]
    right = [component for component in new if id(component) not in same]
    yield from (*pairs, *zip(left, right, strict=False))
    if len(left) > len(right):
        gone[key] = left[len(right) :]
    elif len(right) > len(left):
        come[key] = right[len(left) :]


def _single(layer: str, component: Element) -> Single:
    return Single(layer, component.name, component.version, component.concluded or component.declared or "NOASSERTION")


def _changed(result: Difference, before: Bill, after: Bill, layer: str, one: Element, other: Element) -> None:
    if one.version != other.version:
        change = Change(layer, other.name, one.version, other.version)
        (result.upgraded if _later(one, other) else result.downgraded).append(change)
    elif one.hashes and other.hashes and sorted(one.hashes) != sorted(other.hashes):
        hashes = [element.hash_of.get("sha256", "?")[:12] for element in (one, other)]
        result.rebuilt.append(Change(layer, other.name, *hashes))
    licences = [element.concluded or element.declared or "NOASSERTION" for element in (one, other)]
    if licences[0] != licences[1]:
        result.licences.append(Change(layer, other.name, *licences))
        _new_copyleft(result, after, layer, other, {term.id for term in terms_of(licences[0])})


def _later(one: Element, other: Element) -> bool:
    compare = compare_debian if other.purl.startswith("pkg:deb/") else compare_semantic
    return compare(one.version[:512], other.version[:512]) < 0


def _new_copyleft(result: Difference, after: Bill, layer: str, component: Element, known: set[str]) -> None:
    for term in terms_of(component.concluded or component.declared):
        if term.id not in known and copyleft(after, term):
            result.copyleft.append(Single(layer, component.name, component.version, str(term)))


def _moves(
    result: Difference, before: Bill, after: Bill, gone: dict[Key, list[Element]], come: dict[Key, list[Element]]
) -> None:
    """What left one layer and came to another moved; its version and licence are compared as well."""
    where: dict[str, list[Key]] = {}
    for key in sorted(come):
        where.setdefault(key[1], []).append(key)
    for key in sorted(gone):
        targets = where.get(key[1], [])
        if not targets:
            continue
        target = targets.pop(0)
        one, other = gone[key].pop(0), come[target].pop(0)
        result.moved.append(Change(target[0], other.name, key[0], target[0]))
        _changed(result, before, after, target[0], one, other)
        for lists, name in ((gone, key), (come, target)):
            if not lists[name]:
                del lists[name]


def _layers(result: Difference, before: Bill, after: Bill) -> None:
    old, new = ({layer.name: layer for layer in bill.layers} for bill in (before, after))
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            versions = [element.version if element else "" for element in (one, other)]
            result.layers.append(Change(name, name, *versions))
            continue
        if one.version != other.version:
            result.layers.append(Change(name, name, one.version, other.version))
        counts = [census(element) for element in (one, other)]
        files = [str(count[3]) if count else "unknown" for count in counts]
        if files[0] != files[1]:
            result.unowned.append(Change(name, name, *files))
