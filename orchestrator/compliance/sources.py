# SPDX-License-Identifier: MIT
"""The sources of what ships: which are owed, where they are, and the written offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.compliance.bill import UNKNOWN, Bill, Element
from orchestrator.compliance.context import Offer
from orchestrator.compliance.duties import needs_source


@dataclass(frozen=True, slots=True)
class Source:
    """A source package of a layer: its address and hashes where they are known, what was built from it, and whether a
    licence of one of these asks for it. `kind` is its ecosystem (`deb`, ...), else that of the components, `distro` the
    release.
    """

    layer: str
    name: str
    version: str
    uri: str
    hashes: tuple[tuple[str, str], ...]
    components: tuple[str, ...]
    licences: tuple[str, ...]
    owed: bool
    kind: str = ""
    distro: str = ""


def sources(bill: Bill, layer: str = "") -> Iterator[Source]:
    """Yield every source, by layer and name; components without a known source come under an empty name."""
    owing = {component.id for component in needs_source(bill)}
    grouped: dict[tuple[str, str, str], list[Element]] = {}
    for component in bill.components:
        here = bill.layer_of.get(component.id, "")
        if layer and here != layer:
            continue
        source = bill.sources.get(component.id)
        name = component.properties.get("sourcename") or (source.name if source else "")
        version = component.properties.get("sourceversion") or (source.version if source else "")
        grouped.setdefault((here, name, version), []).append(component)
    for (here, name, version), components in sorted(grouped.items()):
        elements = [bill.sources[each.id] for each in components if each.id in bill.sources]
        uris = [each.download for each in elements if each.download not in UNKNOWN]
        uris += [each.properties.get("sourceuri", "") for each in components]
        uris += [each.purl for each in elements]
        hashes = {pair for each in elements for pair in each.hashes}
        kinds, distros = set(), set()
        # Its own package URL tells: a kernel module or a boot loader is no package, and built from one all the same.
        for purl in [uri for uri in uris if uri.startswith("pkg:")] or [each.purl for each in components]:
            kind, _, tail = purl.removeprefix("pkg:").partition("/")
            kinds.add(kind)
            distros |= {part[7:] for part in tail.partition("?")[2].split("&") if part.startswith("distro=")}
        yield Source(
            here,
            name,
            version,
            next(filter(None, uris), ""),
            tuple(sorted(hashes)),
            tuple(sorted({f"{each.name} {each.version}" for each in components})),
            tuple(sorted({each.concluded or each.declared or "NOASSERTION" for each in components})),
            any(each.id in owing for each in components),
            kinds.pop() if len(kinds) == 1 else "",
            min(distros, default=""),
        )


def written_offer(product: str, offer: Offer, layers: int, owed: int) -> str:
    """Return the text of the written offer (GPL-2.0 section 3b, GPL-3.0 section 6b)."""
    return (
        f"Written offer for source code. {product} contains {owed} source packages in {layers} layers whose licences"
        " (the GNU General Public Licence, the GNU Lesser General Public Licence and others) entitle you to their"
        " complete corresponding source code, with the scripts and configuration that control its compilation and"
        f" installation. Until {offer.until} anybody who has this product or this offer can have it from"
        f" {offer.contact}, for no more than the cost of copying and sending it."
    )
