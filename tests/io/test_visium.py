"""A Visium folder opens in µm, in both layouts; what is missing or does not fit is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files, recognise


def _xy(document):
    return np.array([(p.x, p.y) for p in document["spots"].geometry])


def pitch(document):
    xy = _xy(document)
    return float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]))


@pytest.mark.parametrize("positions", ["tissue_positions.csv", "tissue_positions_list.csv"])
@pytest.mark.parametrize("pixels_per_um", [0.7, 1.5])
def test_spots_are_55_um_wide_and_100_um_apart_whatever_the_image(visium, positions, pixels_per_um):
    document = open_files(visium(positions=positions, pixels_per_um=pixels_per_um))
    assert pitch(document) == pytest.approx(100, rel=1e-6)
    assert np.allclose(document["spots"]["radius"], 27.5)


def test_a_spot_lies_on_its_pixel_of_the_image(visium):
    from spatialdata.transformations import get_transformation

    document = open_files(visium(pixels_per_um=1.5))
    scale = get_transformation(document["image"]).to_affine_matrix(("x", "y"), ("x", "y"))[0, 0]
    hires = _xy(document) / scale
    expected = 0.5 * (100 + document["counts"].obs["array_col"].to_numpy() * 50 * 1.5)
    assert np.allclose(hires[:, 0], expected)


def test_the_matrix_the_folder_and_its_parent_open_the_same(visium):
    folder = visium()
    names = {
        tuple(sorted(name for _, name, _ in open_files(path).gen_elements()))
        for path in (folder, folder.parent, folder / "filtered_feature_bc_matrix.h5")
    }
    assert names == {("counts", "image", "spots")}
    assert recognise(folder / "spatial" / "tissue_hires_image.png").name == "image"


def test_counts_follow_their_barcode(visium):
    values = np.arange(120).reshape(30, 4)
    document = open_files(visium(values=values))
    table = document["counts"]
    at = [int(name[7:9]) for name in table.obs_names]
    assert np.array_equal(table.X.toarray(), values[at])
    assert list(table.var_names) == ["A", "B", "B-1", "C"]
    assert any("gene names were repeated" in note for note in document.attrs["spatialml"]["notes"])


def test_without_positions_it_is_refused(visium):
    with pytest.raises(BadInput, match="no spot positions"):
        open_files(visium(positions=None))


def test_a_position_that_is_not_a_number_is_refused(visium):
    folder = visium()
    path = folder / "spatial" / "tissue_positions.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].rsplit(",", 1)[0] + ","]))
    with pytest.raises(BadInput, match="not a number"):
        open_files(folder)


def test_without_scale_factors_the_pixel_size_or_the_pitch_answers(visium):
    folder = visium(scale=False)
    with pytest.raises(UnitNeeded) as caught:
        open_files(folder)
    assert caught.value.parameter == "pixel_size_um"
    assert pitch(open_files(folder, pixel_size_um=1 / 1.5)) == pytest.approx(100)
    assert pitch(open_files(folder, spot_pitch_um=100)) == pytest.approx(100)


def test_a_stated_unit_that_contradicts_the_scale_factors_is_refused(visium):
    with pytest.raises(BadInput, match=r"'pixel_size_um' is 2 µm"):
        open_files(visium(), pixel_size_um=2)


def test_barcodes_that_match_no_position_are_refused(visium):
    with pytest.raises(BadInput, match="None of the 30 barcodes"):
        open_files(visium(barcodes=[f"OTHER{i:02d}-1" for i in range(30)]))


def test_repeated_barcodes_are_made_unique_with_a_note(visium):
    folder = visium(barcodes=["BARCODE00-1", *(f"BARCODE{i:02d}-1" for i in range(29))])
    document = open_files(folder)
    assert document["counts"].obs_names.is_unique
    assert any("barcodes were repeated" in note for note in document.attrs["spatialml"]["notes"])


@pytest.mark.parametrize(("value", "said"), [(-1.0, "negative"), (np.nan, "NaN")])
def test_negative_or_nan_counts_are_refused(visium, value, said):
    values = np.ones((30, 4))
    values[3, 2] = value
    with pytest.raises(BadInput, match=said):
        open_files(visium(values=values))


def test_a_matrix_that_is_cut_off_is_refused(visium):
    folder = visium()
    path = folder / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadInput, match="damaged"):
        open_files(folder)


@pytest.mark.parametrize(("name", "n"), [("visium_spaceranger1", 100), ("visium_2695spots", 2695)])
def test_vendor_bundles_open_and_come_back_from_a_store(data, tmp_path, name, n):
    from spatialdata import read_zarr

    document = open_files(data / "vendor" / name)
    assert document["counts"].n_obs == n
    document.write(tmp_path / "a.zarr")
    again = read_zarr(tmp_path / "a.zarr")
    assert (again["counts"].X != document["counts"].X).nnz == 0
    assert np.array_equal(_xy(again), _xy(document))


def test_a_real_array_has_its_printed_pitch(data):
    """``spot_diameter_fullres`` spans 65 µm: read as 55 µm, neighbours would lie 85 µm apart."""
    assert pitch(open_files(data / "vendor" / "visium_2695spots")) == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("side", [8, 16])
def test_high_definition_bins_are_a_raster_on_the_image(data, side):
    from spatialdata.transformations import get_transformation

    document = open_files(data / "vendor" / "visium_hd" / "binned_outputs" / f"square_{side:03d}um")
    table, labels = document["counts"], np.asarray(document["bins"])
    assert np.array_equal(np.sort(labels[labels > 0]), table.obs["instance_id"])
    matrix = get_transformation(document["bins"]).to_affine_matrix(("x", "y"), ("x", "y"))
    where = np.argwhere(labels > 0)[np.argsort(labels[labels > 0])]
    centres = np.column_stack([where[:, ::-1] + 0.5, np.ones(len(where))]) @ matrix.T
    assert np.abs(centres[:, :2] - table.obsm["spatial"]).max() < side / 2
