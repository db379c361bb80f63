"""The 10x count matrix: HDF5 (both generations) or the folder of three text files, without scanpy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .document import check_values, unique_names

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["find_matrix", "read_matrix"]


def find_matrix(folder: Path) -> Path | None:
    """Return the count matrix of a folder: the filtered one first, HDF5 first."""
    for kind in ("filtered", "raw"):
        for pattern in (f"{kind}_feature_bc_matrix.h5", f"*{kind}_feature_bc_matrix.h5", f"{kind}_feature_bc_matrix"):
            found = sorted(folder.glob(pattern))
            if found:
                return found[0]
    return None


def read_matrix(path: Path, notes: list[str]) -> AnnData:
    """Return counts of barcodes × genes as CSR, with ``var["gene_id"]`` and unique names."""
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData

    try:
        parts = _read_folder(path) if path.is_dir() else _read_hdf5(path)
        counts = sp.csr_matrix(parts["counts"])
        counts.check_format(full_check=True)
    except (OSError, KeyError, ValueError, IndexError, EOFError) as error:
        raise BadInput(f"The count matrix '{path.name}' is damaged ({error}).", "Copy or export it again.") from error
    check_values(counts, f"The count matrix '{path.name}'")
    table = AnnData(
        X=counts.astype(np.float32),
        obs=pd.DataFrame(index=unique_names(parts["barcodes"], "barcodes", notes)),
        var=pd.DataFrame(
            {"gene_id": parts["ids"], "feature_type": parts["types"]},
            index=unique_names(parts["names"], "gene names", notes),
        ),
    )
    return table


def _read_hdf5(path: Path) -> dict[str, Any]:
    import h5py
    import scipy.sparse as sp

    with h5py.File(path, "r") as file:
        group = file["matrix"] if "matrix" in file else file[next(iter(file))]
        features = group.get("features")
        n_features, n_barcodes = (int(v) for v in group["shape"][:])
        # stored as features × barcodes in columns, which read as rows is barcodes × features
        counts = sp.csr_matrix(
            (group["data"][:], group["indices"][:], group["indptr"][:]), shape=(n_barcodes, n_features)
        )
        names = _text(features["name"] if features is not None else group["gene_names"])
        return {
            "counts": counts,
            "barcodes": _text(group["barcodes"]),
            "ids": _text(features["id"] if features is not None else group["genes"]),
            "names": names,
            "types": _text(features["feature_type"])
            if features is not None and "feature_type" in features
            else ["Gene Expression"] * len(names),
        }


def _text(dataset: Any) -> list[str]:
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in dataset[:]]


def _read_folder(path: Path) -> dict[str, Any]:
    import pandas as pd
    from scipy.io import mmread

    def member(*names: str) -> Path:
        for name in names:
            for candidate in (path / f"{name}.gz", path / name):
                if candidate.is_file():
                    return candidate
        raise BadInput(f"The folder '{path.name}' has no '{names[0]}'.", "Copy the whole folder.")

    features = pd.read_csv(member("features.tsv", "genes.tsv"), sep="\t", header=None, dtype=str)
    barcodes = pd.read_csv(member("barcodes.tsv"), sep="\t", header=None, dtype=str)
    names = features[1 if features.shape[1] > 1 else 0]
    return {
        "counts": mmread(str(member("matrix.mtx"))).T.tocsr(),
        "barcodes": list(barcodes[0]),
        "ids": list(features[0]),
        "names": list(names),
        "types": list(features[2]) if features.shape[1] > 2 else ["Gene Expression"] * len(features),
    }
