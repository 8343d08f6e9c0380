"""Draws a CloudWatch dashboard from its definition, with made-up values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

_UNIT_X, _UNIT_Y, _GAP = 40, 36, 4
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728")
_STYLE = "text{font:12px sans-serif;fill:#16191f}.t{font-weight:bold}.w{fill:#fff;stroke:#d5dbdb}.g{stroke:#eaeded}"


def draw(definition: Mapping[str, Any]) -> str:
    """The dashboard as SVG."""
    widgets = definition["widgets"]
    width = max(each["x"] + each["width"] for each in widgets) * _UNIT_X
    height = max(each["y"] + each["height"] for each in widgets) * _UNIT_Y
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">']
    lines += [f"<style>{_STYLE}</style>", f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>']
    for widget in widgets:
        x, y = widget["x"] * _UNIT_X + _GAP, widget["y"] * _UNIT_Y + _GAP
        w, h = widget["width"] * _UNIT_X - 2 * _GAP, widget["height"] * _UNIT_Y - 2 * _GAP
        lines.append(f'<g transform="translate({x} {y})"><rect class="w" width="{w}" height="{h}" rx="4"/>')
        lines.append(f'<text class="t" x="10" y="20">{escape(widget["properties"]["title"])}</text>')
        lines += _alarms(widget, w) if widget["type"] == "alarm" else _graph(widget, w, h)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>\n"])


def _alarms(widget: Mapping[str, Any], w: int) -> Iterator[str]:
    alarms = widget["properties"]["alarms"]
    for index, arn in enumerate(alarms):
        x = 10 + index * (w - 20) / len(alarms)
        yield f'<rect x="{x:.0f}" y="30" width="{(w - 20) / len(alarms) - 8:.0f}" height="26" rx="3" fill="#d5f5e3"/>'
        yield f'<text x="{x + 10:.0f}" y="47">OK  {escape(arn.rpartition(":")[2])}</text>'


def _graph(widget: Mapping[str, Any], w: int, h: int) -> Iterator[str]:
    top, bottom, left, right = 36, h - 34, 14, w - 14
    for row in range(5):
        y = top + (bottom - top) * row / 4
        yield f'<line class="g" x1="{left}" x2="{right}" y1="{y:.0f}" y2="{y:.0f}"/>'
    for number, metric in enumerate(widget["properties"]["metrics"]):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [
            f"{left + (right - left) * step / 60:.0f},{bottom - (bottom - top) * _value(number, step):.0f}"
            for step in range(61)
        ]
        yield f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        x = left + number * 95
        yield f'<rect x="{x}" y="{h - 22}" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 15}" y="{h - 13}">{escape(metric[-1]["label"])}</text>'
    for line in widget["properties"].get("annotations", {}).get("horizontal", []):
        yield f'<line x1="{left}" x2="{right}" y1="{top + 8}" y2="{top + 8}" stroke="#d62728" stroke-dasharray="5 3"/>'
        yield f'<text x="{right - 78}" y="{top + 22}">alarm: {line["value"]:,}</text>'


def _value(number: int, step: int) -> float:
    """A value between 0 and 1: over the steps, a curve like a day's."""
    wave = 0.45 + 0.18 * math.sin(step / 9) + 0.06 * math.sin(step * 1.7 + number)
    return max(0.02, wave / (1 + 0.9 * number))
