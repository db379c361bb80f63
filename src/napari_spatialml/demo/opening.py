"""The first steps: the sample or a person's files become a saved section, and all of it in one frame."""

from __future__ import annotations

from typing import Any

from ..core.transform import Affine
from ..io.landmark_files import read_landmarks
from ..session import GLOBAL, Session
from .choosing import tissue
from .frame import extent
from .picture import overlay
from .truth import Truth
from .walk import Walk

__all__ = ["open_section"]


def open_section(walk: Walk) -> None:
    """Open what the options name, say what is in it, save it, and show it in one frame.

    Raises
    ------
    BadInput
        When it cannot be opened: nothing follows without a section.
    """
    section = walk.options.section
    what = "the embedded sample, simulated with known truth" if section is None else f"'{section.name}'"
    with walk.step("open", what, needed=True) as row:
        walk.session = Session.start(_sample(walk) if section is None else _files(walk))
        row.measured = _contents(walk.session.document)
    with walk.step("save", "everything into section.zarr, once", needed=True) as row:
        walk.session.save(walk.store)
        row.measured = f"{_megabytes(walk.store):.1f} MB"
    with walk.step("overlay", "images and spots in one frame, in µm") as row:
        document = walk.session.document
        y0, x0, y1, x1 = extent(document, GLOBAL)
        row.measured = f"{y1 - y0:,.0f} × {x1 - x0:,.0f} µm"
        walk.show(overlay(document, tissue(document)))
    walk.facts["start"] = walk.session.document.fingerprints()


def _sample(walk: Walk) -> Any:
    from ..io.sample import sample_reference, sample_section, sample_truth

    section = sample_section()
    walk.truth = Truth(sample_truth())
    reference = walk.options.out / "reference.h5ad"
    sample_reference().write_h5ad(reference)
    walk.facts["reference"] = reference
    return section


def _files(walk: Walk) -> Any:
    """Open the person's files; each later one lies in a coordinate system of its own."""
    from ..io import open_files

    options = walk.options
    walk.facts["reference"] = options.reference
    assert options.section is not None
    first = open_files(options.section, name=options.name, **options.stated(), report=walk.within)
    if options.second is None:
        return first
    from ..io.together import together

    second = open_files(options.second, name=options.second_name, **options.stated(), report=walk.within)
    made = together([options.name or "first", options.second_name or "second"], [first, second])
    moved = [s for s in made.coordinate_systems if s != GLOBAL]
    if options.landmarks is not None and moved:
        made.attrs["spatialml"]["landmarks"] = {moved[0]: _landmarks(options.landmarks, moved[0])}
    return made


def _landmarks(path: Any, moving: str) -> dict[str, Any]:
    pairs = read_landmarks(path).in_um()
    return {"fixed": GLOBAL, "moving": moving, "fixed_um": pairs.fixed.tolist(), "moving_um": pairs.moving.tolist()}


def _contents(document: Any) -> str:
    parts = []
    for name in document.names("images"):
        parts.append(f"image '{name}' ({_pixel(document, name)} µm a pixel)")
    for name in document.names("tables"):
        n, p = document.table(name).shape
        parts.append(f"'{name}' ({n:,} rows × {p:,} features)")
    systems = document.coordinate_systems()
    return ", ".join(parts) + (f"; coordinate systems {', '.join(systems)}" if len(systems) > 1 else "")


def _pixel(document: Any, name: str) -> str:
    affine: Affine = document.affine(name, document.placed(name)[0])
    return f"{affine.scale_factors[0]:.3g}"


def _megabytes(folder: Any) -> float:
    return float(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6)
