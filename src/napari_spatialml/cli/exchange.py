"""Regions, cells and landmarks, to files of other programs and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..errors import BadInput
from .terminal import Progress

__all__ = ["export", "import_"]

FORMS = Literal["geojson", "explorer", "cellpose", "plain", "bigwarp", "keypoints", "loupe"]
_LANDMARKS = {"plain": (".csv",), "bigwarp": (".csv",), "keypoints": (".csv",), "loupe": (".json",)}
_ENDINGS = {
    "geojson": (".geojson", ".geojson.gz", ".json"),
    "explorer": (".csv",),
    "cellpose": ("_seg.npy",),
    **_LANDMARKS,
}


def export(
    section: Annotated[Path, Parameter(help="A saved section.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The file: NAME.geojson, NAME.geojson.gz, NAME.csv or NAME_seg.npy.")],
    annotations: Annotated[str, Parameter(help="The annotations to write.")] = "",
    labels: Annotated[str, Parameter(help="The labels whose cells to write.")] = "",
    landmarks: Annotated[str, Parameter(help="The landmarks to write, by their moving coordinate system.")] = "",
    as_: Annotated[
        FORMS,
        Parameter(name="--as", help="The form; QuPath and Xenium Ranger read GeoJSON. Of landmarks: plain, in µm."),
    ] = ("geojson"),
    image: Annotated[str, Parameter(help="The image whose pixels are counted; of landmarks, the fixed one.")] = "",
    moving_image: Annotated[str, Parameter(help="The image whose pixels moving landmarks count.")] = "",
    nuclei: Annotated[str, Parameter(help="Labels of the cells' nuclei, by the same ids.")] = "",
    unit: Annotated[Literal["px", "um"], Parameter(help="What the coordinates of cells count.")] = "px",
    colour: Annotated[str, Parameter(help="A column of the cells' table, written as their class.")] = "",
) -> None:
    """Write annotations, cells or landmarks for QuPath, Xenium Explorer, Loupe Browser, BigWarp or Cellpose."""
    from ..session.exchange import export_annotations, export_cells
    from ..session.landmark_exchange import export_landmarks

    if bool(annotations) + bool(labels) + bool(landmarks) != 1:
        raise BadInput("It is not said what to write.", "Give --annotations NAME, --labels NAME or --landmarks NAME.")
    if bool(landmarks) != (as_ in _LANDMARKS):
        kinds = _LANDMARKS if landmarks else [form for form in _ENDINGS if form not in _LANDMARKS]
        raise BadInput(
            f"{'Landmarks' if landmarks else 'Regions'} cannot be written as {as_}.", f"--as {' or '.join(kinds)}."
        )
    if not out.name.endswith(_ENDINGS[as_]):
        raise BadInput(f"'{out.name}' is no name for {as_}.", f"End it with {' or '.join(_ENDINGS[as_])}.")
    progress = Progress()
    session = _opened(section)
    try:
        if annotations:
            said = export_annotations(session.document, annotations, out, as_, image=image)
        elif landmarks:
            images = {"fixed_image": image, "moving_image": moving_image}
            said = export_landmarks(session.document, landmarks, out, as_, **images)
        else:
            how = {"nuclei": nuclei, "unit": "µm" if unit == "um" else "px", "colour": colour}
            said = export_cells(session.document, labels, out, as_, report=progress, **how)
    finally:
        session.close()
        progress.clear()
    print("\n".join([*said, f"Written to '{out}'."]))


def import_(
    section: Annotated[Path, Parameter(help="A saved section; what is added is saved in it.")],
    file: Annotated[Path, Parameter(help="GeoJSON, a selection of Xenium Explorer, NAME_seg.npy, or landmarks.")],
    /,
    *,
    into: Annotated[str, Parameter(help="The element that takes it in; named after the file if left out.")] = "",
    landmarks: Annotated[str, Parameter(help="Take in landmarks of this moving coordinate system.")] = "",
    image: Annotated[str, Parameter(help="The image whose pixels are counted; of landmarks, the fixed one.")] = "",
    moving_image: Annotated[str, Parameter(help="The image whose pixels moving landmarks count.")] = "",
    unit: Annotated[Literal["", "px", "um"], Parameter(help="What the coordinates count; else the file says.")] = "",
) -> None:
    """Add regions of QuPath or Xenium Explorer, masks of Cellpose, or landmarks to a section, and save it."""
    from ..session.exchange import read_incoming

    if not file.is_file():
        raise BadInput(f"There is no file '{file}'.", "Check the path.")
    progress = Progress()
    session = _opened(section)
    try:
        counted: Any = "µm" if unit == "um" else unit
        if landmarks:
            print("\n".join(_take_landmarks(session, file, landmarks, image, moving_image, counted)))
            return
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


def _take_landmarks(
    session: Any, file: Path, landmarks: str, image: str, moving_image: str, unit: Any
) -> tuple[str, ...]:
    from ..session.landmark_exchange import import_landmarks

    images = {"fixed_image": image, "moving_image": moving_image}
    command, said = import_landmarks(session.document, file, landmarks, unit=unit, **images)
    session.execute(command)
    session.save()
    return (*said, f"{command.label[:1].upper()}{command.label[1:]}.")


def _opened(section: Path) -> Any:
    from ..session import Session

    return Session.open_store(section)
