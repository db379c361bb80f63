"""The machine's steps: segment, find domains, deconvolve; each measured, and skipped with one reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Affine
from ..errors import BadInput
from ..methods import method, methods
from ..session import (
    DeconvolutionSelection,
    DomainsSelection,
    SegmentationSelection,
    run,
)
from . import choosing
from .frame import Frame, pixels
from .picture import background, categories, outlines, picture, values
from .walk import Walk

__all__ = ["deconvolve", "domains", "run_method", "segment"]

WINDOW = 2048
"""Nuclei are sought in at most so many pixels an edge, in the middle of a larger image."""


def run_method(walk: Walk, kind: str, name: str, selection: Any, **settings: Any) -> str:
    """Run a method on the section, as the button does. Return the result in one line."""
    return run(walk.session, method(kind, name)(**settings), selection, walk.within)


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
            row.measured = run_method(walk, "domains", "low-pass-mixture", DomainsSelection(table), n_domains=n)
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
    caption = "As the smoothed mixture found them."
    walk.show(
        picture(
            f"domains_{table}",
            f"Domains of '{table}'",
            caption,
            [(f"{len(document.table(table).obs['domain'].cat.categories)} domains", frame, draws)],
        )
    )


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
        row.measured = run_method(walk, "deconvolution", next(iter(methods("deconvolution"))), selection)
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
