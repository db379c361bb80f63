"""An imzML pair (``.imzML`` beside ``.ibd``), continuous or processed, as a grid of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput, MissingDependency
from .document import assemble, element_name, grid, unique_names
from .format import Format
from .spectra_binning import TOLERANCE_PPM, CommonAxis
from .units import Units, agree
from .xml_prolog import refuse_entities_in_file

if TYPE_CHECKING:
    import numpy.typing as npt
    from spatialdata import SpatialData

__all__ = ["FORMAT", "read_imzml"]

DENSE_ABOVE = 0.5
NUMBER_BYTES = {"f": 4, "d": 8, "i": 4, "l": 8}


def xml_of(path: Path) -> Path:
    """Return the imzML of a pair, given either of its files."""
    if path.suffix.lower() == ".ibd":
        pair = sorted(path.parent.glob(f"{_plain(path.stem)}.*"))
        return next((p for p in pair if p.suffix.lower() == ".imzml"), path)
    return path


def _plain(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def is_imzml(path: Path) -> bool:
    """Return whether the file is XML that begins as an imzML does, or bears its name, or is its ibd."""
    if not path.is_file():
        return False
    if path.suffix.lower() in (".imzml", ".ibd"):
        return True
    with path.open("rb") as file:
        head = file.read(4096)
    return b"<mzML" in head and b"IMS" in head


def read_imzml(path: Path, units: Units) -> SpatialData:
    """Read an imzML pair: pixels as labels, intensities as their table.

    Raises
    ------
    UnitNeeded
        The file states no pixel size.
    BadInput
        The XML is damaged or declares a DOCTYPE, the ibd is absent or cut off, pixels repeat.
    """
    path = xml_of(path)
    notes: list[str] = []
    if path.suffix.lower() == ".ibd":
        raise BadInput(f"The imzML file of '{path.name}' is absent.", "Put both files of the pair into one folder.")
    refuse_entities_in_file(path, f"The file '{path.name}'")
    with _ibd(path).open("rb") as ibd:
        parser = _parse(path, ibd)
        _check_complete(parser, path, _ibd(path).stat().st_size)
        cells = _cells(parser, path)
        pixel_um = _pixel_size(parser, path, units)
        try:
            values, mz = _spectra(parser, path, notes)
        except (ValueError, IndexError, TypeError) as error:
            raise BadInput(
                f"A spectrum of '{path.name}' cannot be read ({error}).", "Export the pair again."
            ) from error
    name = element_name(path)
    table = _table(values, mz, parser, notes)
    return assemble(grid(cells, pixel_um, table, name, f"{name}_intensities"), path, FORMAT.name, notes)


def _ibd(path: Path) -> Path:
    for candidate in sorted(path.parent.glob(f"{_plain(path.stem)}.*")):
        if candidate.suffix.lower() == ".ibd" and candidate.is_file():
            return candidate
    raise BadInput(f"'{path.name}' has no '{path.stem}.ibd' beside it.", "Put both files of the pair into one folder.")


def _parse(path: Path, ibd: Any) -> Any:
    import warnings

    try:
        from pyimzml.ImzMLParser import ImzMLParser
    except ImportError as error:
        raise MissingDependency(
            "imzML files need the package 'pyimzml'.", 'Run: pip install "napari-spatialml[msi]".'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on old accession numbers, which change nothing that is read
            parser = ImzMLParser(str(path), parse_lib="ElementTree", ibd_file=ibd)
    except Exception as error:  # the parser raises what XML, numpy and missing nodes raise
        raise BadInput(f"The imzML file '{path.name}' is damaged ({error}).", "Copy or export it again.") from error
    if not parser.coordinates:
        raise BadInput(f"The imzML file '{path.name}' holds no spectra.", "Export it again.")
    return parser


def _check_complete(parser: Any, path: Path, size: int) -> None:
    """Raise `BadInput` when a spectrum lies outside the ibd file."""
    for offsets, lengths, precision in (
        (parser.mzOffsets, parser.mzLengths, parser.mzPrecision),
        (parser.intensityOffsets, parser.intensityLengths, parser.intensityPrecision),
    ):
        start = np.asarray(offsets, dtype=np.int64)
        count = np.asarray(lengths, dtype=np.int64)
        if precision not in NUMBER_BYTES or (start < 0).any() or (count < 0).any():
            raise BadInput(f"The offsets in '{path.name}' are damaged.", "Copy or export it again.")
        end = start + count * NUMBER_BYTES[precision]
        outside = int((end > size).sum())
        if outside:
            raise BadInput(
                f"The ibd file of '{path.name}' is cut off: {outside} of {len(end)} spectra lie behind its "
                f"{size:,} bytes.",
                "Copy it again.",
            )


def _cells(parser: Any, path: Path) -> npt.NDArray[np.int64]:
    """Return (n, 2) row and column of each spectrum."""
    coordinates = np.asarray(parser.coordinates, dtype=np.int64)
    planes = len(np.unique(coordinates[:, 2]))
    if planes > 1:
        raise BadInput(f"'{path.name}' holds {planes} sections (z).", "Export one section at a time.")
    return coordinates[:, 1::-1]


def _pixel_size(parser: Any, path: Path, units: Units) -> tuple[float, float]:
    """Return the (y, x) pixel size in µm from the file's scan settings, else from the person."""
    what = f"The imzML file '{path.name}'"
    sizes = [parser.imzmldict.get(f"pixel size {axis}") for axis in "yx"]
    sizes = [float(v) if v else None for v in sizes]
    y, x = sizes[0] or sizes[1], sizes[1] or sizes[0]
    if y is None or x is None:
        size = units.length("pixel_size_um", what)
        return size, size
    if units.pixel_size_um is not None:
        for size in (y, x):
            agree(units.pixel_size_um, size, "pixel_size_um", what)
    return y, x


def _spectra(parser: Any, path: Path, notes: list[str]) -> tuple[Any, npt.NDArray[np.float64]]:
    """Return intensities (n, m), dense or CSR, and the m/z of the columns."""
    n = len(parser.coordinates)
    shared = len(set(zip(parser.mzOffsets, parser.mzLengths, strict=True))) == 1
    if shared:
        mz = np.asarray(parser.getspectrum(0)[0], dtype=np.float64)

        def columns(_: Any) -> Any:
            return np.arange(len(mz))
    else:
        axis = CommonAxis()
        for i in range(n):
            axis.add(_positive(parser.getspectrum(i)[0], path))
        mz, columns = axis.finish()  # type: ignore[assignment]  # either function takes m/z to columns
        notes.append(f"Peaks of '{path.name}' within {TOLERANCE_PPM:g} ppm were added up: {len(mz)} m/z.")
    if not len(mz):
        raise BadInput(f"The spectra of '{path.name}' are empty.", "Export it again.")
    return _matrix(parser, path, len(mz), columns), mz


def _positive(mz: Any, path: Path) -> npt.NDArray[np.float64]:
    values = np.asarray(mz, dtype=np.float64)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise BadInput(f"A spectrum of '{path.name}' has an m/z that is not a number > 0.", "Export it again.")
    return values


def _matrix(parser: Any, path: Path, width: int, columns: Any) -> Any:
    """Return intensities (n, width) as float32: CSR where most are 0, dense else."""
    import scipy.sparse as sp

    columns_of: list[Any] = []
    values_of: list[Any] = []
    ends = [0]
    for i in range(len(parser.coordinates)):
        mz, intensities = parser.getspectrum(i)
        values = np.asarray(intensities, dtype=np.float32)
        if len(mz) != len(values):
            raise BadInput(f"Spectrum {i + 1} of '{path.name}' has {len(mz)} m/z for {len(values)} intensities.")
        if not np.isfinite(values).all() or (values < 0).any():
            raise BadInput(f"Spectrum {i + 1} of '{path.name}' has negative or NaN intensities.", "Export it again.")
        some = np.flatnonzero(values)
        columns_of.append(columns(mz)[some].astype(np.int32))
        values_of.append(values[some])
        ends.append(ends[-1] + len(some))
    parts = (np.concatenate(values_of), np.concatenate(columns_of), np.array(ends, dtype=np.int64))
    matrix = sp.csr_matrix(parts, shape=(len(ends) - 1, width))
    matrix.sum_duplicates()
    return matrix.toarray() if matrix.nnz > DENSE_ABOVE * matrix.shape[0] * width else matrix


def _table(values: Any, mz: npt.NDArray[np.float64], parser: Any, notes: list[str]) -> Any:
    import pandas as pd
    from anndata import AnnData

    places = [f"{x}_{y}" for x, y, _ in parser.coordinates]
    table = AnnData(
        X=values,
        obs=pd.DataFrame(index=unique_names(places, "pixel names", notes)),
        var=pd.DataFrame({"mz": mz}, index=unique_names([f"{v:.4f}" for v in mz], "m/z names", notes)),
    )
    table.uns["spectrum_mode"] = str(parser.spectrum_mode or "")
    table.uns["polarity"] = str(parser.polarity or "")
    return table


FORMAT = Format(
    name="imzml",
    title="imzML",
    what="an imzML file with its ibd",
    recognises=is_imzml,
    read=read_imzml,
    resolve=xml_of,
)
