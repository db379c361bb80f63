"""The report: one page that holds everything, to be sent by mail or kept with the data."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..session.provenance import read_recipe
from .picture import Picture
from .walk import Row, Walk

__all__ = ["write"]

STYLE = """
:root { --ink: #22303c; --soft: #5d6b78; --line: #e2e6ea; --ok: #1b7f5c; --no: #9a5b00; }
* { box-sizing: border-box; }
body { font: 16px/1.55 "Segoe UI", system-ui, -apple-system, "Helvetica Neue", sans-serif; color: var(--ink);
  background: #fbfbfa; margin: 0; }
main { max-width: 1080px; margin: 0 auto; padding: 3.2rem 1.6rem 5rem; }
h1 { font-weight: 600; font-size: 1.9rem; letter-spacing: -0.01em; margin: 0 0 .3rem; }
h2 { font-weight: 600; font-size: 1.15rem; margin: 3rem 0 .9rem; padding-bottom: .35rem;
  border-bottom: 1px solid var(--line); }
p.lead { color: var(--soft); margin: 0 0 1.4rem; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--ink);
  padding: .35rem .7rem .35rem 0; }
td { vertical-align: top; border-bottom: 1px solid var(--line); padding: .42rem .7rem .42rem 0; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-right: 0; }
th.n { text-align: right; padding-right: 0; }
tr.skipped td { color: var(--no); }
figure { margin: 0 0 2.2rem; }
figure img { max-width: 100%; height: auto; display: block; border-radius: 3px; }
figure.window img { border: 1px solid var(--line); }
figcaption { font-size: .9rem; color: var(--soft); margin-top: .5rem; }
figcaption b { color: var(--ink); font-weight: 600; }
.plates { display: grid; grid-template-columns: repeat(auto-fill, minmax(480px, 1fr)); gap: 1rem 2rem;
  align-items: start; }
.wide { grid-column: 1 / -1; }
code { font: .86em ui-monospace, "Cascadia Mono", Menlo, monospace; background: #f0f2f3; padding: .1em .35em;
  border-radius: 3px; }
ol.history { font-size: .9rem; padding-left: 2rem; } ol.history span { color: var(--soft); }
@media print { body { background: white; } main { padding: 0; } figure { break-inside: avoid; } }
"""


def write(walk: Walk) -> Path:
    """Write ``report.html`` with every picture inside it; return its path."""
    recipe = read_recipe(walk.options.out / "recipe.json")
    proofs, plates, windows = _sorted(walk.pictures)
    section = walk.options.section
    title = "The embedded sample" if section is None else walk.options.name or section.name
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="lead">{_text(_lead(walk))}</p>',
        "<h2>What was done, and what was measured</h2>",
        _table(walk.rows),
        "<h2>The section</h2>",
        _plates(plates),
        "<h2>Corrections by hand</h2>" if proofs else "",
        _plates(proofs),
        "<h2>In the window</h2>" if windows else "",
        _plates(windows),
        "<h2>History</h2>",
        _history(recipe["steps"]),
        "<h2>Made with</h2>",
        _versions(recipe),
    ]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>"
    )
    target = walk.options.out / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _text(value: Any) -> str:
    return html.escape(str(value))


def _lead(walk: Walk) -> str:
    done = sum(not r.skipped for r in walk.rows)
    left = len(walk.rows) - done
    told = f"{done} steps done" + (f", {left} left out with the reason" if left else "")
    origin = "A simulated section of bowel wall with known truth. " if walk.truth is not None else ""
    return (
        f"{origin}{told}, in {walk.facts['seconds']:.0f} s. Lengths are in µm. The section with its history is in "
        "section.zarr, and recipe.json makes every result again."
    )


def _sorted(pictures: Iterable[Picture]) -> tuple[list[Picture], list[Picture], list[Picture]]:
    proofs: list[Picture] = []
    plates: list[Picture] = []
    windows: list[Picture] = []
    for one in pictures:
        kind = windows if one.name.startswith("window") else proofs if one.name.startswith("correction") else plates
        kind.append(one)
    return proofs, plates, windows


def _table(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        mark = ' class="skipped"' if row.skipped else ""
        seconds = "" if row.skipped and row.seconds < 0.05 else f"{row.seconds:.1f}"
        cells = f"<td>{_text(row.step)}</td><td>{_text(row.what)}</td><td>{_text(row.measured)}</td>"
        lines.append(f'<tr{mark}>{cells}<td class="n">{seconds}</td></tr>')
    head = '<tr><th>Step</th><th>What</th><th>Measured</th><th class="n">Seconds</th></tr>'
    return f"<table>{head}{''.join(lines)}</table>"


def _plates(pictures: Iterable[Picture]) -> str:
    return f'<div class="plates">{"".join(_plate(p) for p in pictures)}</div>'


def _plate(one: Picture) -> str:
    kind = "window wide" if one.name.startswith("window") else "wide" if _is_wide(one.png) else ""
    data = base64.b64encode(one.png).decode()
    return (
        f'<figure class="{kind}"><img alt="{_text(one.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{_text(one.title)}.</b> {_text(one.caption)}</figcaption></figure>"
    )


def _is_wide(png: bytes) -> bool:
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
    return width > 1.5 * height


def _history(steps: list[dict[str, Any]]) -> str:
    lines = [f"<li>{_text(s['label'])} <span>{_text(_when(s))}</span></li>" for s in steps]
    return f'<ol class="history">{"".join(lines)}</ol>' if lines else "<p>Nothing was changed.</p>"


def _when(step: dict[str, Any]) -> str:
    day, _, clock = str(step.get("when", "")).partition("T")
    return f"· {day} {clock[:5]}" if clock else ""


def _versions(recipe: dict[str, Any]) -> str:
    run: dict[str, Any] = next((s for s in reversed(recipe["steps"]) if s.get("versions")), {})
    found = {"program": recipe["program"], **run.get("versions", {}), "device": run.get("device", "")}
    found.pop("napari-spatialml", None)
    return "<p>" + ", ".join(f"{_text(k)} <code>{_text(v)}</code>" for k, v in found.items() if v) + "</p>"
