"""Small real files, written as the tests need them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def section(tmp_path: Path):
    """Write a section of 5 × 4 spots, 20 pixels apart, and return its folder; keywords change it."""

    def write(name="section1", *, edit_counts=None, edit_spots=None, image=True, folder=tmp_path):
        from PIL import Image

        rng = np.random.default_rng(0)
        spots, counts = ["x\ty\tpixel_x\tpixel_y\tselected"], ["\tA\tB\tC"]
        for x in range(5):
            for y in range(4):
                spots.append(f"{x}\t{y}\t{10 + 20 * x}\t{15 + 20 * y}\t{int(x < 4)}")
                counts.append(f"{x}x{y}\t" + "\t".join(map(str, rng.poisson(3, 3))))
        counts, spots = (edit_counts or list)(counts), (edit_spots or list)(spots)
        with gzip.open(folder / f"{name}_counts.tsv.gz", "wt") as file:
            file.write("\n".join(counts) + "\n")
        with gzip.open(folder / f"{name}_spots.tsv.gz", "wt") as file:
            file.write("\n".join(spots) + "\n")
        if image:
            Image.fromarray(rng.integers(0, 255, (100, 120, 3), dtype=np.uint8)).save(folder / f"{name}.jpg")
        return folder

    return write


@pytest.fixture
def imzml(tmp_path: Path):
    """Write an imzML pair from a list of spectra, and return the path of its XML."""

    def write(spectra, places, mode="processed", name="msi"):
        import warnings

        from pyimzml.ImzMLWriter import ImzMLWriter

        path = tmp_path / f"{name}.imzML"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ImzMLWriter(str(path), mode=mode, mz_dtype=np.float64, intensity_dtype=np.float32) as writer:
                for (mz, values), (x, y) in zip(spectra, places, strict=True):
                    writer.addSpectrum(np.asarray(mz), np.asarray(values), (x, y, 1))
        return path

    return write


@pytest.fixture
def visium(tmp_path: Path):
    """Write a Visium folder of a 6 × 5 hexagonal array, and return it; keywords leave parts out."""

    def write(
        *, positions="tissue_positions.csv", scale=True, pixels_per_um=1.5, barcodes=None, values=None, image=True
    ):
        import json

        import h5py
        import scipy.sparse as sp
        from PIL import Image

        folder = tmp_path / "outs"
        (folder / "spatial").mkdir(parents=True)
        rows = [(r, 2 * c + r % 2) for r in range(6) for c in range(5)]
        names = [f"BARCODE{i:02d}-1" for i in range(len(rows))]
        if positions:
            lines = [
                f"{n},1,{r},{c},{100 + r * 50 * 3**0.5 * pixels_per_um},{100 + c * 50 * pixels_per_um}"
                for n, (r, c) in zip(names, rows, strict=True)
            ]
            if positions == "tissue_positions.csv":
                lines.insert(0, "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres")
            (folder / "spatial" / positions).write_text("\n".join(lines) + "\n")
        if scale:
            factors = {"spot_diameter_fullres": 65 * pixels_per_um, "tissue_hires_scalef": 0.5}
            (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
        if image:
            picture = np.zeros((400, 500, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / "spatial" / "tissue_hires_image.png")
        dense = np.random.default_rng(1).poisson(1.0, (len(rows), 4)) if values is None else values
        counts = sp.csr_matrix(dense)
        with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
            group = file.create_group("matrix")
            for key in ("data", "indices", "indptr"):
                group[key] = getattr(counts, key)
            group["shape"] = np.array(counts.shape[::-1], dtype=np.int32)
            group["barcodes"] = np.array(barcodes or names, dtype="S")
            features = group.create_group("features")
            features["id"] = np.array([f"ENSG{i}" for i in range(4)], dtype="S")
            features["name"] = np.array(["A", "B", "B", "C"], dtype="S")
            features["feature_type"] = np.array(["Gene Expression"] * 4, dtype="S")
        return folder

    return write
