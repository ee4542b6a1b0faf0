"""One line chart as SVG, with logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 40, 50
_COLOURS = ("#888888", "#1f6feb", "#bbbbbb", "#d1242f")
Points = Sequence[tuple[float, float]]


def chart(title: str, x_axis: str, lines: Mapping[str, Points]) -> str:
    """The lines by name; all numbers are above 0."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    low, high = floor(log10(min(ys))), ceil(log10(max(ys)) + 1e-9)
    left, right = log10(min(xs)), max(log10(max(xs)), log10(min(xs)) + 1e-9)

    def across(x: float) -> float:
        return _LEFT + (log10(x) - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _HEIGHT - _BOTTOM - (log10(y) - low) / max(1, high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_text(_LEFT, 20, title), _text(_LEFT, _HEIGHT - 10, x_axis)]
    for power in range(low, high + 1):
        at = down(10.0**power)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(_text(4, at + 4, f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"))
    parts += [_text(across(x) - 8, _HEIGHT - _BOTTOM + 18, f"{x:,.0f}") for x in sorted(set(xs))]
    for (name, points), colour in zip(lines.items(), _COLOURS, strict=False):
        path = "L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_WIDTH - _RIGHT + 8, down(points[-1][1]) + 4, name, colour))
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {style}>' + "".join(parts) + "</svg>\n"


def _text(x: float, y: float, text: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{escape(text)}</text>'
