"""The embedded sample as a document: complete, in µm, without the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_spatialml.core.ions import move
from napari_spatialml.io.sample import sample_reference, sample_section, sample_truth

sd = pytest.importorskip("spatialdata")


@pytest.fixture(scope="module")
def section():
    return sample_section(5, size_um=300.0)


@pytest.fixture(scope="module")
def truth():
    return sample_truth(5, size_um=300.0)


def test_every_call_shares_one_simulation(truth):
    assert sample_truth(5, size_um=300.0) is truth
    assert sample_truth(6, size_um=300.0) is not truth


def test_the_document_holds_what_an_instrument_gives(section, truth):
    assert set(section.images) == {"he", "dapi"} and set(section.labels) == {"msi_pixels"}
    assert set(section.shapes) == {"spots"} and set(section.points) == {"transcripts"}
    assert set(section.tables) == {"spot_counts", "msi"}
    assert np.array_equal(section["he"].values, truth.he)
    assert np.allclose(section["spots"].geometry.y, truth.spots.coordinates_um[:, 0])
    assert (truth.spots.counts != section["spot_counts"].X).nnz == 0
    assert len(section["transcripts"]) == len(truth.molecules.genes)


def test_the_document_does_not_hold_the_truth(section):
    for table in section.tables.values():
        assert set(table.obs) == {"region", "instance_id"}
        assert not table.obsm and not table.uns.keys() - {"spatialdata_attrs"}
    assert set(section["transcripts"].columns) == {"x", "y", "gene"}


def test_everything_lies_in_micrometres(section):
    whole = sd.get_extent(section, coordinate_system="global")
    assert whole["y"] == pytest.approx((0, 300)) and whole["x"] == pytest.approx((0, 300))
    ions = sample_truth(5, size_um=300.0).ions
    stage = sd.get_extent(section, coordinate_system="msi")
    assert stage["y"][1] == pytest.approx(ions.shape[0] * 12) and stage["x"][1] == pytest.approx(ions.shape[1] * 12)


def test_tables_annotate_their_elements(section):
    for name, element in (("spot_counts", "spots"), ("msi", "msi_pixels")):
        table = section[name]
        assert table.uns["spatialdata_attrs"]["region"] == element
        instances = section[element].index if element == "spots" else np.unique(section[element].values)
        assert np.array_equal(table.obs["instance_id"], instances)
        assert table.obs_names.is_unique
    assert "741.5306" in section["msi"].var_names


def test_the_landmarks_recover_the_alignment(section, truth):
    notes = section.attrs["spatialml"]
    assert json.loads(json.dumps(notes)) == notes
    marks = notes["landmarks"]["msi"]
    fixed, moving = np.array(marks["fixed_um"]), np.array(marks["moving_um"])
    assert np.abs(move(truth.ions.matrix, moving) - fixed).max() < 0.2
    solved = np.linalg.lstsq(np.c_[moving, np.ones(len(moving))], fixed, rcond=None)[0].T
    assert np.allclose(solved[:, :2], truth.ions.matrix[:2, :2], atol=2e-3)


def test_the_reference_fits_the_section(section):
    reference = sample_reference(5, size_um=300.0)
    assert list(reference.var_names) == list(section["spot_counts"].var_names)
    assert reference.obs["cell_type"].nunique() == 5
    reference.X[0, 0] = 99  # a caller may change its copy
    assert sample_reference(5, size_um=300.0).X[0, 0] != 99


def test_the_section_survives_writing_and_reading(section, tmp_path):
    section.write(tmp_path / "section.zarr")
    again = sd.read_zarr(tmp_path / "section.zarr")
    assert again.attrs["spatialml"] == section.attrs["spatialml"]
    assert np.array_equal(again["he"].values, section["he"].values)
    assert (again["spot_counts"].X != section["spot_counts"].X).nnz == 0


def test_a_large_image_has_a_pyramid():
    from xarray import DataTree

    big = sample_section(0)
    assert isinstance(big["he"], DataTree) and len(big["he"].children) == 3
