"""What is nearly a format that can be opened: what it is, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BadInput
from .points_file import GENE_COLUMNS, is_parquet

__all__ = ["explain"]

_VENDORS = (
    ("Xenium", "xenium", "experiment.xenium"),
    ("MERSCOPE", "merscope", "detected_transcripts.csv"),
    ("CosMx", "cosmx", "*fov_positions_file.csv*"),
)
"""A platform, its name in spatialdata-io, and the file by which its folder is known."""


def explain(path: Path) -> None:
    """Say what a path that no format recognises is, where that is known.

    Raises
    ------
    BadInput
        It is the folder of a platform or of bins of several sizes, or a parquet file that is damaged or holds no
        transcripts.
    """
    if path.is_dir() and os.access(path, os.R_OK):
        _explain_bins(path)
        _explain_vendor(path)
    elif path.is_file() and is_parquet(path):
        _explain_parquet(path)


def _explain_bins(path: Path) -> None:
    folder = path if path.name == "binned_outputs" else path / "binned_outputs"
    sizes = sorted(p.name for p in folder.glob("square_*um") if p.is_dir())
    if sizes:
        inside = "" if folder == path else "binned_outputs/"
        raise BadInput(
            f"'{path.name}' holds the bins of Visium HD in {len(sizes)} sizes.",
            f"Open the folder of one: {', '.join(inside + name for name in reversed(sizes))}.",
        )


def _explain_vendor(path: Path) -> None:
    for title, reader, sign in _VENDORS:
        if any(path.glob(sign)):
            raise BadInput(
                f"'{path.name}' is a {title} folder, which is not opened as it is.",
                f"Convert it once: python -m spatialdata_io {reader} -i {path.name} -o {path.name}.zarr; then open "
                "that store. Its images, and transcripts in a parquet file, can be opened alone.",
            )


def _explain_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"The parquet file '{path.name}' is damaged or cut off.", "Copy or export it again.") from error
    raise BadInput(
        f"'{path.name}' is not a format that can be opened: its columns are {', '.join(names[:12])}.",
        f"Transcripts need x, y, and the gene in one of {', '.join(GENE_COLUMNS)}.",
    )
