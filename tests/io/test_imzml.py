"""imzML pairs become a raster of pixels and a table of intensities; damaged and hostile ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files
from napari_spatialml.io.spectra_binning import CommonAxis

PLACES = [(x, y) for y in (1, 2) for x in (1, 2, 3)]
SPECTRA = [([100.0, 200.0, 300.0], [i, 2.0 * i, 1.0]) for i in range(6)]


@pytest.mark.parametrize("mode", ["continuous", "processed"])
@pytest.mark.parametrize("suffix", [".imzML", ".ibd"])
def test_either_file_of_a_pair_opens_it(imzml, mode, suffix):
    document = open_files(imzml(SPECTRA, PLACES, mode).with_suffix(suffix), pixel_size_um=50)
    table, labels = document["msi_intensities"], np.asarray(document["msi"])
    values = table.X if isinstance(table.X, np.ndarray) else table.X.toarray()
    assert np.array_equal(values, [v for _, v in SPECTRA])
    assert list(table.var_names) == ["100.0000", "200.0000", "300.0000"]
    assert labels.dtype == np.int32
    assert np.array_equal(labels, np.arange(1, 7).reshape(2, 3))


def test_pixels_that_were_not_measured_are_background(imzml):
    labels = np.asarray(open_files(imzml(SPECTRA[:2], [(5, 5), (7, 6)]), pixel_size_um=50)["msi"])
    assert np.array_equal(labels, [[1, 0, 0], [0, 0, 2]])


def test_a_pixel_measured_twice_is_refused(imzml):
    with pytest.raises(BadInput, match="1 of 2 pixels"):
        open_files(imzml(SPECTRA[:2], [(5, 5), (5, 5)]), pixel_size_um=50)


def test_without_a_pixel_size_it_is_asked_for(imzml):
    with pytest.raises(UnitNeeded) as caught:
        open_files(imzml(SPECTRA, PLACES))
    assert caught.value.parameter == "pixel_size_um"


def test_without_its_ibd_it_is_refused(imzml):
    path = imzml(SPECTRA, PLACES)
    path.with_suffix(".ibd").unlink()
    with pytest.raises(BadInput, match=r"no 'msi\.ibd' beside it"):
        open_files(path, pixel_size_um=50)


def test_an_ibd_without_its_imzml_is_refused(imzml):
    path = imzml(SPECTRA, PLACES)
    path.unlink()
    with pytest.raises(BadInput, match="is absent"):
        open_files(path.with_suffix(".ibd"), pixel_size_um=50)


@pytest.mark.parametrize("mode", ["continuous", "processed"])
def test_an_ibd_that_is_cut_off_is_refused(imzml, mode):
    path = imzml(SPECTRA, PLACES, mode)
    ibd = path.with_suffix(".ibd")
    ibd.write_bytes(ibd.read_bytes()[:-8])
    with pytest.raises(BadInput, match="cut off"):
        open_files(path, pixel_size_um=50)


def test_an_imzml_that_is_cut_off_is_refused(imzml):
    path = imzml(SPECTRA, PLACES)
    text = path.read_bytes()
    path.write_bytes(text[: len(text) // 2])
    with pytest.raises(BadInput, match="damaged"):
        open_files(path, pixel_size_um=50)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("before", ["", "<!-- " + "x" * 200_000 + " -->"])
def test_a_doctype_is_refused_wherever_it_hides(imzml, encoding, before):
    path = imzml(SPECTRA, PLACES)
    head = f'<?xml version="1.0" encoding="{encoding}"?>{before}<!DOCTYPE m [<!ENTITY a "b">]>'
    body = path.read_text(encoding="latin-1").split("?>", 1)[1]
    path.write_bytes((head + body).encode(encoding))
    with pytest.raises(BadInput, match="DOCTYPE"):
        open_files(path, pixel_size_um=50)


def test_negative_intensities_are_refused(imzml):
    with pytest.raises(BadInput, match="negative"):
        open_files(imzml([([100.0], [-1.0]), ([100.0], [1.0])], [(1, 1), (2, 1)]), pixel_size_um=50)


def test_peaks_within_the_tolerance_are_one_and_their_intensity_is_kept(imzml):
    jitter = 1 + np.array([-4e-6, 0, 4e-6])
    spectra = [(np.array([500.0, 700.0]) * j, [1.0, 2.0]) for j in jitter]
    document = open_files(imzml(spectra, [(1, 1), (2, 1), (3, 1)]), pixel_size_um=50)
    table = document["msi_intensities"]
    assert table.n_vars == 2
    assert np.allclose(table.var["mz"], [500, 700], rtol=5e-6)
    assert np.array_equal(np.asarray(table.X.sum(0)).ravel(), [3, 6])


@given(st.lists(st.lists(st.floats(100, 2000), min_size=1, max_size=30), min_size=1, max_size=10))
def test_every_peak_goes_to_a_feature_within_the_tolerance(spectra):
    axis = CommonAxis(20)
    for mz in spectra:
        axis.add(np.array(mz))
    features, index = axis.finish()
    assert (np.diff(features) > 0).all()
    for mz in spectra:
        assert (np.abs(features[index(np.array(mz))] / mz - 1) < 22e-6).all()


def test_peaks_farther_apart_than_the_tolerance_stay_apart():
    axis = CommonAxis(20)
    axis.add(np.array([741.50, 741.53]))
    assert np.allclose(axis.finish()[0], [741.50, 741.53])


def test_the_official_examples_agree(data, tmp_path):
    from spatialdata import read_zarr

    tables = []
    for mode in ("Continuous", "Processed"):
        document = open_files(data / "imzml_examples" / f"Example_{mode}.imzML")
        assert np.array_equal(np.asarray(document[f"Example_{mode}"]), np.arange(1, 10).reshape(3, 3))
        table = document[f"Example_{mode}_intensities"]
        assert np.allclose(table.obsm["spatial"].max(0), 250)  # 100 µm pixels, centre of the third
        tables.append(table)
        document.write(tmp_path / f"{mode}.zarr")
        again = read_zarr(tmp_path / f"{mode}.zarr")[f"Example_{mode}_intensities"]
        assert np.array_equal(_dense(again), _dense(table))
    assert np.allclose(tables[0].var["mz"], tables[1].var["mz"], rtol=1e-6)
    assert np.array_equal(_dense(tables[0]), _dense(tables[1]))
    with pytest.raises(BadInput, match="100 µm"):
        open_files(data / "imzml_examples" / "Example_Continuous.imzML", pixel_size_um=50)


def test_the_bladder_crop_has_the_intensities_of_the_table(data):
    """The crop was cut from the h5ad: the two readers must agree on every pixel and m/z."""
    crop = open_files(data / "bladder_msi" / "bladder_crop40x40.imzML", pixel_size_um=10)[
        "bladder_crop40x40_intensities"
    ]
    whole = open_files(data / "bladder_msi" / "bladder.h5ad", um_per_unit=10)["bladder_intensities"]
    assert np.allclose(crop.var["mz"], whole.var["mz"], rtol=1e-6)
    rows = {tuple(np.round(row, 1)) for row in _dense(whole)}
    assert sum(tuple(np.round(row, 1)) in rows for row in _dense(crop)) > 0.99 * crop.n_obs


def _dense(table):
    return table.X if isinstance(table.X, np.ndarray) else table.X.toarray()
