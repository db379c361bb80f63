"""``python -m benchmarks SUBJECT --json OUT`` runs one subject; ``--all`` runs every one."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from pathlib import Path
from typing import Any

import benchmarks


def subjects() -> dict[str, Any]:
    """Return the subjects by name: every module beside this one that says which it is."""
    names = sorted(info.name for info in pkgutil.iter_modules(benchmarks.__path__) if info.name != "__main__")
    modules = [importlib.import_module(f"benchmarks.{name}") for name in names]
    return {module.SUBJECT: module for module in modules if hasattr(module, "SUBJECT")}


def main() -> int:
    """Measure, print and write; return 1 when a floor does not hold."""
    known = subjects()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", choices=[*known, []], help=f"one or more of: {', '.join(known)}")
    parser.add_argument("--all", action="store_true", help="run every subject")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    chosen = list(known) if given.all else given.subject
    if not chosen:
        parser.error(f"name a subject ({', '.join(known)}), or give --all")
    found: dict[str, dict[str, Any]] = {}
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| figure | value | floor | holds | on |\n|---|---|---|---|---|")
    for subject in chosen:
        for name, figure in known[subject].measure():
            found[f"{subject}: {name}"] = figure.plain()
            floor = "" if figure.floor is None else f"{figure.floor:g} {figure.unit}"
            holds = "" if figure.floor is None else "yes" if figure.holds else "NO"
            cells = (name, f"{figure.value:.3g} {figure.unit}", floor, holds, figure.data)
            print(f"| {' | '.join(cells)} |", flush=True)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return 0 if all(figure["holds"] for figure in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
