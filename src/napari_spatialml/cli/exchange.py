"""Regions and cells, to files of other programs and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress

__all__ = ["export", "import_"]

FORMS = Literal["geojson", "explorer", "cellpose"]
_ENDINGS = {"geojson": (".geojson", ".geojson.gz", ".json"), "explorer": (".csv",), "cellpose": ("_seg.npy",)}


def export(
    section: Annotated[Path, Parameter(help="A saved section.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The file: NAME.geojson, NAME.geojson.gz, NAME.csv or NAME_seg.npy.")],
    annotations: Annotated[str, Parameter(help="The annotations to write.")] = "",
    labels: Annotated[str, Parameter(help="The labels whose cells to write.")] = "",
    as_: Annotated[FORMS, Parameter(name="--as", help="The form; GeoJSON is what QuPath and Xenium Ranger read.")] = (
        "geojson"
    ),
    image: Annotated[str, Parameter(help="The image whose pixels are counted.")] = "",
    nuclei: Annotated[str, Parameter(help="Labels of the cells' nuclei, by the same ids.")] = "",
    unit: Annotated[Literal["px", "um"], Parameter(help="What the coordinates of cells count.")] = "px",
    colour: Annotated[str, Parameter(help="A column of the cells' table, written as their class.")] = "",
) -> None:
    """Write annotations, or the cells of labels, for QuPath, Xenium Explorer, Xenium Ranger or Cellpose."""
    from ..session.exchange import export_annotations, export_cells

    if bool(annotations) == bool(labels):
        raise BadInput("It is not said what to write.", "Give --annotations NAME or --labels NAME.")
    if not out.name.endswith(_ENDINGS[as_]):
        raise BadInput(f"'{out.name}' is no name for {as_}.", f"End it with {' or '.join(_ENDINGS[as_])}.")
    progress = Progress()
    session = _opened(section)
    try:
        if annotations:
            said = export_annotations(session.document, annotations, out, as_, image=image)
        else:
            how = {"nuclei": nuclei, "unit": "µm" if unit == "um" else "px", "colour": colour}
            said = export_cells(session.document, labels, out, as_, report=progress, **how)
    finally:
        session.close()
        progress.clear()
    print("\n".join([*said, f"Written to '{out}'."]))


def import_(
    section: Annotated[Path, Parameter(help="A saved section; what is added is saved in it.")],
    file: Annotated[Path, Parameter(help="GeoJSON, a selection of Xenium Explorer, or Cellpose's NAME_seg.npy.")],
    /,
    *,
    into: Annotated[str, Parameter(help="The element that takes it in; named after the file if left out.")] = "",
    image: Annotated[str, Parameter(help="The image whose pixels are counted.")] = "",
    unit: Annotated[Literal["", "px", "um"], Parameter(help="What the coordinates count; else the file says.")] = "",
) -> None:
    """Add the regions of QuPath or Xenium Explorer, or the masks of Cellpose, to a section, and save it."""
    from ..session.exchange import read_incoming

    if not file.is_file():
        raise BadInput(f"There is no file '{file}'.", "Check the path.")
    progress = Progress()
    session = _opened(section)
    try:
        counted: Any = "µm" if unit == "um" else unit
        incoming = read_incoming(session.document, file, image=image, unit=counted, into=into, report=progress)
        session.execute(incoming.command(session.document))
        session.save()
        progress.clear()
        place = f" in pixels of '{incoming.image}'" if incoming.image else ""
        done = session.history[session.position - 1].label
        print("\n".join([*incoming.said, f"{done[:1].upper()}{done[1:]} into '{incoming.into}'{place}."]))
    finally:
        session.close()
        progress.clear()


def _opened(section: Path) -> Any:
    from ..session import Session

    return Session.open_store(section)
