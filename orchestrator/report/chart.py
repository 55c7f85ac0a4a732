# SPDX-License-Identifier: MIT
"""Charts as inline SVG: no script, no font and no file from elsewhere, readable in grey on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from orchestrator.compliance.categories import CATEGORIES, Category

COLOURS: dict[Category, str] = {
    "copyleft": "#b5402d",
    "weak-copyleft": "#e08a2c",
    "permissive": "#3c7fb1",
    "public-domain": "#8fbf9f",
    "proprietary": "#6b4c8a",
    "unknown": "#9a9a9a",
}
"""Told apart by the colour-blind, and by their lightness in print."""

_WIDTH, _LABEL, _LONG_LABEL, _ROW, _BAR = 900, 170, 320, 30, 18


def layers(rows: Sequence[tuple[str, Mapping[Category, int]]]) -> str:
    """Return a bar a layer, its components by category; all bars to one scale."""
    most = max((sum(counts.values()) for _, counts in rows), default=0) or 1
    scale = (_WIDTH - _LABEL - 60) / most
    parts = []
    for position, (name, counts) in enumerate(rows):
        top, left = position * _ROW, float(_LABEL)
        parts.append(f'<text x="{_LABEL - 10}" y="{top + 17}" text-anchor="end">{escape(name)}</text>')
        for category in CATEGORIES:
            count = counts.get(category, 0)
            if not count:
                continue
            width = count * scale
            parts.append(
                f'<rect x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{_BAR}" fill="{COLOURS[category]}">'
                f"<title>{escape(name)}: {count} {category}</title></rect>"
            )
            if width > 22:
                parts.append(
                    f'<text x="{left + width / 2:.1f}" y="{top + 17}" text-anchor="middle" fill="#fff">{count}</text>'
                )
            left += width
        parts.append(f'<text x="{left + 6:.1f}" y="{top + 17}">{sum(counts.values())}</text>')
    return _svg(len(rows) * _ROW, "Components of each layer by category of licence", parts)


def licences(rows: Sequence[tuple[str, int, Category]], shown: int = 15) -> str:
    """Return a bar for each of the commonest licences; the rest is one bar."""
    listed = list(rows[:shown])
    rest = sum(count for _, count, _ in rows[shown:])
    most = max((count for _, count, _ in listed), default=0) or 1
    scale = (_WIDTH - _LONG_LABEL - 60) / most
    left = _LONG_LABEL
    parts = []
    for position, (name, count, category) in enumerate(listed):
        top = position * (_ROW - 6)
        parts.append(f'<text x="{left - 10}" y="{top + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{left}" y="{top + 2}" width="{max(count * scale, 1):.1f}" height="15"'
            f' fill="{COLOURS[category]}"><title>{escape(name)}: {count}</title></rect>'
        )
        parts.append(f'<text x="{left + count * scale + 6:.1f}" y="{top + 14}">{count}</text>')
    height = len(listed) * (_ROW - 6)
    if rest:
        parts.append(f'<text x="{left}" y="{height + 14}">and {len(rows) - shown} more licences, {rest} times</text>')
        height += _ROW - 6
    return _svg(height, "The commonest licences, by the number of components", parts)


def legend() -> str:
    """Return what the colours mean."""
    marks = (f'<span><i style="background:{COLOURS[each]}"></i>{each.replace("-", " ")}</span>' for each in CATEGORIES)
    return f'<p class="legend">{"".join(marks)}</p>'


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height + 4}" role="img" aria-label="{escape(label)}"'
        f' xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
