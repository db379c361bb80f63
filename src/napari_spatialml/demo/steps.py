"""The machine's steps: register, segment, find domains, deconvolve; each measured, and skipped with one reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Affine
from ..core.graph import knn_graph
from ..core.landmarks import leave_one_out, suspects
from ..core.metrics import morans_i
from ..errors import BadInput
from ..methods import method
from ..session import (
    GLOBAL,
    DeconvolutionSelection,
    DomainsSelection,
    RegistrationSelection,
    SegmentationSelection,
    correct,
    run,
)
from ..session.gather import coordinates_of
from . import choosing
from .frame import Frame, extent, pixels
from .picture import Draw, background, categories, landmarks, outlines, picture, values
from .walk import Walk

__all__ = ["deconvolve", "domains", "register", "run_method", "segment"]

SLIP_UM = 40.0
"""How far the demonstration puts one landmark of the sample aside, as a hand may."""
WINDOW = 2048
"""Nuclei are sought in at most so many pixels an edge, in the middle of a larger image."""


def run_method(walk: Walk, kind: str, name: str, selection: Any, **settings: Any) -> str:
    """Run a method on the section, as the button does. Return the result in one line."""
    return run(walk.session, method(kind, name)(**settings), selection, walk.report)


# registration ----------------------------------------------------------------------------------


def register(walk: Walk) -> None:
    """Register every coordinate system that has landmarks, and correct a landmark."""
    document = walk.session.document
    systems = choosing.moving_systems(document)
    if not systems:
        walk.skip("register", "landmarks", "Skipped: everything lies in one coordinate system already.")
    for moving in systems:
        pairs = len(document.attribute("landmarks", {}).get(moving, {}).get("fixed_um", []))
        if pairs < 2:
            walk.skip(
                "register",
                f"'{moving}'",
                f"Skipped: '{moving}' has {pairs} landmarks; place 2 pairs in the window, or give --landmarks.",
            )
        elif walk.truth is not None:
            _register_with_slip(walk, moving)
        else:
            _register(walk, moving)


def _register(walk: Walk, moving: str) -> None:
    document = walk.session.document
    with walk.step("register", f"'{moving}' by landmarks") as row:
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving))
        row.measured = _residuals(walk, moving)
    if row.skipped:
        return
    frame = choosing.tissue(document)
    image = choosing.image_of(document)
    alone = [background(document, image, frame)] if image else []
    _show_registration(
        walk, moving, "overlay", [("fixed", frame, alone), ("registered", frame, _registered(walk, moving, frame))]
    )
    a, b = _pairs(walk, moving)
    if len(a) < 6:
        return
    worst = int(np.argmax(leave_one_out("affine", b, a)))
    what = f"delete landmark {worst + 1}, the least certain of '{moving}', and register again"
    with walk.step("correct", what) as row:
        walk.session.execute(correct(walk.session.document, "delete-landmark", landmarks=moving, number=worst + 1))
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving))
        row.measured = _residuals(walk, moving)


def _register_with_slip(walk: Walk, moving: str) -> None:
    """On the sample: one landmark is put aside, is pointed at, and is put back by hand."""
    document = walk.session.document
    slipped, where = _slip(walk, moving)
    with walk.step("register", f"'{moving}' by landmarks, one of them {SLIP_UM:g} µm off on purpose") as row:
        walk.session.execute(
            correct(document, "move-landmark", landmarks=moving, number=slipped, side="fixed", to_um=where[1])
        )
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving), model="affine")
        a, b = _pairs(walk, moving)
        named = ", ".join(str(i + 1) for i in np.flatnonzero(suspects(b, a)))
        row.measured = f"{_target_error(walk, moving)}; suspect: landmark {named or 'none'}"
    frame = Frame.around(_near(extent(document, GLOBAL), where[0]))
    before = _registered(walk, moving, frame)
    with walk.step("correct", f"drag landmark {slipped} back, and register again") as row:
        walk.session.execute(
            correct(document, "move-landmark", landmarks=moving, number=slipped, side="fixed", to_um=where[0])
        )
        run_method(walk, "registration", "landmarks", RegistrationSelection(moving), model="affine")
        row.measured = _target_error(walk, moving)
    after = _registered(walk, moving, frame)
    panels = [(f"landmark {slipped} is wrong", frame, before), ("after dragging it back", frame, after)]
    _show_registration(walk, moving, "before and after the correction", panels)


def _near(box: tuple[float, float, float, float], point: list[float]) -> tuple[float, float, float, float]:
    """Return the part around a point, a third of a box wide."""
    half = max(box[2] - box[0], box[3] - box[1]) / 5
    return point[0] - half, point[1] - half, point[0] + half, point[1] + half


def _slip(walk: Walk, moving: str) -> tuple[int, tuple[list[float], list[float]]]:
    """Choose the landmark in the middle, where it harms most evenly; return its number, right and wrong place."""
    fixed, _ = _pairs(walk, moving)
    number = int(np.argmin(np.linalg.norm(fixed - fixed.mean(0), axis=1)))
    right = fixed[number]
    return number + 1, (right.tolist(), (right + np.array([0.0, SLIP_UM])).tolist())


def _pairs(walk: Walk, moving: str) -> tuple[Any, Any]:
    held = walk.session.document.attribute("landmarks")[moving]
    return np.asarray(held["fixed_um"], dtype=float), np.asarray(held["moving_um"], dtype=float)


def _residuals(walk: Walk, moving: str) -> str:
    a, b = _pairs(walk, moving)
    kept = walk.session.document.attribute("alignments")[moving]["transform"]
    moved = _transform(kept).apply(b)
    left_out = leave_one_out("affine", b, a) if len(a) > 3 else None
    text = f"{len(a)} pairs, median residual {np.median(np.linalg.norm(moved - a, axis=1)):.1f} µm"
    return text if left_out is None else f"{text}; leaving one out (affine) {np.median(left_out):.1f} µm"


def _transform(kept: dict[str, Any]) -> Any:
    from ..core.transform import transform_from_dict

    return transform_from_dict(kept)


def _target_error(walk: Walk, moving: str) -> str:
    assert walk.truth is not None
    document = walk.session.document
    element = next(n for n in document.names("labels") if moving in document.placed(n))
    median, largest = walk.truth.registration_error(document, element, GLOBAL)
    return f"target registration error: median {median:.2f} µm, largest {largest:.2f} µm"


def _registered(walk: Walk, moving: str, frame: Frame) -> list[Draw]:
    """Return what shows how a moving element lies on the section at this moment."""
    document = walk.session.document
    image = choosing.image_of(document)
    draws = [background(document, image, frame)] if image else []
    a, b = _pairs(walk, moving)
    moved = _transform(document.attribute("alignments")[moving]["transform"]).apply(b)
    return [*draws, *_moving_over(document, moving, frame), landmarks(a, moved)]


def _moving_over(document: Any, moving: str, frame: Frame) -> list[Draw]:
    """Return the moving elements over the fixed ones: an ion image, an image, or spots."""
    for image in document.names("images"):
        if moving in document.placed(image) and GLOBAL in document.placed(image):
            return [background(document, image, frame, alpha=0.55)]
    for table in document.names("tables"):
        element = document.annotated(table)
        if element in document.names("labels") and moving in document.placed(element):
            name, shown = clearest(document, table)
            return [values(document, table, shown, frame, unit=f"m/z {name}, intensity", alpha=0.8, fade=True)]
    return []


def clearest(document: Any, table: str) -> tuple[str, Any]:
    """Return the feature with the clearest pattern in space (Moran's I), by its name and values."""
    held = document.table(table)
    graph = knn_graph(coordinates_of(document, table), 6)
    best = int(np.nanargmax(morans_i(held.X, graph)))
    column = held.X[:, [best]]
    return str(held.var_names[best]), np.asarray(column.toarray() if hasattr(column, "toarray") else column).ravel()


def _show_registration(walk: Walk, moving: str, title: str, panels: list[tuple[str, Frame, list[Draw]]]) -> None:
    caption = f"'{moving}' over the section, with its landmarks; a line joins each pair that does not meet."
    walk.show(picture(f"registration_{moving}", f"Registration, {title}", caption, panels))


# segmentation ----------------------------------------------------------------------------------


def segment(walk: Walk) -> None:
    """Find nuclei in the best image; on the sample in fluorescence and in histology, against the truth."""
    document = walk.session.document
    fine, coarse = choosing.nuclear_images(document)
    if not fine:
        walk.skip("segment", "nuclei", _why_none(document, coarse))
    for image in fine[: 2 if walk.truth is not None else 1]:
        output = "nuclei" if image == fine[0] else f"nuclei_{image}"
        region = walk.options.region or _middle(pixels(document, image))
        with walk.step("segment", f"nuclei in '{image}' by watershed") as row:
            selection = SegmentationSelection(image, region=region, output=output)
            row.measured = run_method(walk, "segmentation", "watershed", selection)
            if walk.truth is not None:
                found = walk.truth.precision(document.grid(output).read())
                row.measured = f"{document.table(f'{output}_table').n_obs:,} nuclei, AP@0.5 {found:.3f}"
        if not row.skipped:
            _show_cells(walk, image, output)


def _why_none(document: Any, coarse: list[str]) -> str:
    if not coarse:
        return "Skipped: the section has no image."
    size = document.affine(coarse[0], choosing.system_of(document, coarse[0])).scale_factors[0]
    return (
        f"Skipped: '{coarse[0]}' is too coarse to show nuclei ({size:.2g} µm a pixel; "
        f"{choosing.NUCLEI_VISIBLE_UM:g} µm or less is needed)."
    )


def _middle(shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    h, w = shape
    if max(h, w) <= WINDOW:
        return None
    high, wide = min(h, WINDOW), min(w, WINDOW)
    y, x = (h - high) // 2, (w - wide) // 2
    return (y, y + high, x, x + wide)


def _show_cells(walk: Walk, image: str, labels: str) -> None:
    document = walk.session.document
    system = choosing.system_of(document, labels)
    y0, x0, y1, x1 = _box_of(document, labels, system)
    side = min(160.0, y1 - y0, x1 - x0)
    middle = ((y0 + y1 - side) / 2, (x0 + x1 - side) / 2)
    frame = Frame.around((middle[0], middle[1], middle[0] + side, middle[1] + side), system=system)
    draws = [background(document, image, frame)]
    shown = [("image", frame, draws), ("nuclei found", frame, [*draws, outlines(document, labels, frame)])]
    walk.show(picture(f"cells_{labels}", f"Nuclei in '{image}'", f"Watershed, {side:.0f} µm of the section.", shown))


def _box_of(document: Any, labels: str, system: str) -> tuple[float, float, float, float]:
    affine: Affine = document.affine(labels, system)
    h, w = document.grid(labels).shape
    corners = affine.apply(np.array([[0.0, 0.0], [0.0, w], [h, 0.0], [h, w]]))
    (y0, x0), (y1, x1) = corners.min(0), corners.max(0)
    return float(y0), float(x0), float(y1), float(x1)


# domains ---------------------------------------------------------------------------------------


def domains(walk: Walk) -> None:
    """Find domains of the spots, and of every grid of pixels or bins."""
    document = walk.session.document
    tables = choosing.spot_tables(document)
    found = [*tables, *choosing.gridded_tables(document)]
    if not found:
        walk.skip("domains", "spots or pixels", "Skipped: the section has no table of spots, bins or pixels.")
    for table in found:
        on_grid = table not in tables
        n = walk.options.n_domains + int(on_grid)
        why = " (one for the ground beside the tissue)" if on_grid else ""
        with walk.step("domains", f"{n} domains of '{table}'{why}") as row:
            row.measured = run_method(walk, "domains", "smoothed-mixture", DomainsSelection(table), n_domains=n)
            if walk.truth is not None:
                agreement = walk.truth.domain_agreement(document.table(table), "domain")
                rows = choosing.row_word(document, table, document.table(table).n_obs)
                row.measured = f"{rows}, adjusted Rand index {agreement:.3f}"
        if not row.skipped:
            _show_domains(walk, table)


def _show_domains(walk: Walk, table: str) -> None:
    document = walk.session.document
    system = choosing.system_of(document, document.annotated(table))
    frame = choosing.tissue(document, system)
    image = choosing.image_of(document, system)
    draws = [background(document, image, frame, dim=0.35)] if image else []
    draws.append(categories(document, table, "domain", frame, alpha=0.9))
    caption = f"Domains of '{table}' by the smoothed mixture."
    walk.show(picture(f"domains_{table}", f"Domains of '{table}'", caption, [("domains", frame, draws)]))


# deconvolution ---------------------------------------------------------------------------------


def deconvolve(walk: Walk) -> None:
    """Estimate the cell types in the spots, where there is a reference."""
    document = walk.session.document
    table, reference = choosing.spot_table(document), walk.facts.get("reference")
    if reference is None:
        why = "Skipped: no single-cell reference was given (--reference FILE)."
        walk.skip("deconvolve", "cell types in spots", why)
        return
    if not table:
        walk.skip("deconvolve", "cell types in spots", "Skipped: the section has no table of spots.")
        return
    with walk.step("deconvolve", f"'{table}' with the reference '{reference.name}'") as row:
        if not reference.is_file():
            raise BadInput(f"There is no file '{reference}'.", "Check the path of the reference.")
        selection = DeconvolutionSelection(table, str(reference.resolve()), walk.options.reference_column)
        row.measured = run_method(walk, "deconvolution", "nnls", selection)
        if walk.truth is not None:
            found = document.table(table).obsm["proportions"]
            error = walk.truth.proportion_error(found)
            row.measured = f"{found.shape[1]} cell types, root mean squared error {error:.3f}"
    if not row.skipped:
        _show_proportions(walk, table)


def _show_proportions(walk: Walk, table: str) -> None:
    document = walk.session.document
    found = document.table(table).obsm["proportions"]
    system = choosing.system_of(document, document.annotated(table))
    frame = choosing.tissue(document, system, pixels=420)
    first = list(found.mean().sort_values(ascending=False).index[:3])
    image = choosing.image_of(document, system)
    below = [background(document, image, frame, dim=0.5)] if image else []
    panels = [
        (str(name), frame, [*below, values(document, table, found[name], frame, unit="proportion")]) for name in first
    ]
    caption = "The three cell types with the largest share of the section."
    walk.show(picture("proportions", "Proportions of cell types", caption, panels))
