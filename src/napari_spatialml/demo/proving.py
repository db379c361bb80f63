"""What makes the result trustworthy: undo and redo, saving, opening again, and replaying the recipe."""

from __future__ import annotations

import statistics
import time

from ..session import Session, read_recipe, replay, scratch, write_recipe
from .walk import Walk

__all__ = ["replay_recipe", "save_and_reopen", "undo_and_redo"]


def undo_and_redo(walk: Walk) -> None:
    """Undo everything and do it again; compare the bits with those of the start and the end."""
    session = walk.session
    n = session.position
    if n == 0:
        walk.skip("undo", "everything", "Skipped: nothing was done.")
        return
    with walk.step("undo", f"all {n} steps, one by one", needed=True) as row:
        end = session.document.fingerprints()
        milliseconds = []
        while session.position:
            start = time.perf_counter()
            session.undo()
            milliseconds.append(1000 * (time.perf_counter() - start))
        same = session.document.fingerprints() == walk.facts["start"]
        walk.facts["undo_is_start"] = same
        row.measured = f"{_same(same, 'the start')}; median {statistics.median(milliseconds):.1f} ms a step"
    with walk.step("redo", f"all {n} steps", needed=True) as row:
        session.jump(n)
        same = session.document.fingerprints() == end
        walk.facts["redo_is_end"] = same
        row.measured = _same(same, "before")


def _same(same: bool, what: str) -> str:
    return f"every bit as {'at ' if what == 'the start' else ''}{what}" if same else f"NOT the same as {what}"


def save_and_reopen(walk: Walk) -> None:
    """Save what changed, open the section again, and compare."""
    session = walk.session
    with walk.step("save", "what changed since the section was opened", needed=True) as row:
        before = {p: p.stat().st_mtime_ns for p in walk.store.rglob("*") if p.is_file()}
        session.save()
        files = [p for p in walk.store.rglob("*") if p.is_file()]
        written = [p for p in files if before.get(p) != p.stat().st_mtime_ns]
        size = sum(p.stat().st_size for p in written) / 1e6
        row.measured = f"{len(written)} of {len(files)} files, {size:.1f} MB"
    with walk.step("reopen", "section.zarr, and compare", needed=True) as row:
        end, labels = session.document.fingerprints(), [e.label for e in session.history]
        session.close()
        walk.session = Session.open_store(walk.store)
        now = walk.session.document.fingerprints()
        different = sorted(k for k in {*end, *now} if end.get(k) != now.get(k))
        walk.facts["reopened_is_end"] = not different and [e.label for e in walk.session.history] == labels
        steps = f"{len(walk.session.history)} steps of history"
        row.measured = f"every bit as before; {steps}" if not different else f"NOT the same: {', '.join(different)}"


def replay_recipe(walk: Walk) -> None:
    """Write the recipe and do it again from the section as it was opened."""
    recipe = walk.options.out / "recipe.json"
    with walk.step("recipe", "recipe.json", needed=True) as row:
        write_recipe(walk.session, recipe)
        row.measured = f"{walk.session.position} steps, {recipe.stat().st_size / 1e3:.0f} kB"
    with walk.step("replay", "every step again, from the start", needed=True) as row:
        with scratch(walk.store) as again:
            steps = replay(read_recipe(recipe), again, walk.within)
        wrong = [s.label for s in steps if not s.identical]
        walk.facts["replay"] = steps
        row.measured = (
            f"{len(steps)} of {len(steps)} bit-identical" if not wrong else f"NOT identical: {'; '.join(wrong)}"
        )
