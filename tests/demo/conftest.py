"""A finished walk on a small sample, shared by the tests that look at what it left."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from napari_spatialml.demo import Options, Walk, walk

SMALL = {"size_um": 320.0, "n_genes": 120, "n_reference_cells": 300}


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Walk the sample, made smaller, through the whole way, without screenshots."""
    out: Path = tmp_path_factory.mktemp("walk")
    patch = pytest.MonkeyPatch()
    from napari_spatialml.io import sample

    for name in ("sample_section", "sample_truth", "sample_reference"):
        full = getattr(sample, name)
        patch.setattr(sample, name, lambda seed=0, full=full, **given: full(seed, **{**SMALL, **given}))
    patch.setenv("NAPARI_SPATIALML_STATE", str(out / "state"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return walk(Options(out=out / "demo", screenshots=False))
    finally:
        patch.undo()
