"""An h5ad opens as spots or as a grid of pixels, in µm; a reference tells which column it used."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files, read_reference
from napari_spatialml.io.document import unique_names
from napari_spatialml.io.table_names import storable


@pytest.fixture
def h5ad(tmp_path):
    def write(xy, names=("A", "B"), values=None, obs=None, uns=None):
        n = len(xy) if xy is not None else len(next(iter(obs.values())))
        values = np.arange(n * len(names)).reshape(n, -1) if values is None else values
        table = ad.AnnData(
            X=sp.csr_matrix(values.astype(np.float32)),
            obs=pd.DataFrame(obs or {}, index=[f"s{i}" for i in range(n)]),
            var=pd.DataFrame(index=list(names)),
            uns=uns or {},
        )
        if xy is not None:
            table.obsm["spatial"] = np.asarray(xy)
        table.write_h5ad(tmp_path / "a.h5ad")
        return tmp_path / "a.h5ad"

    return write


HEX = np.array([(x + 0.5 * (y % 2), y * 3**0.5 / 2) for y in range(6) for x in range(5)])
GRID = np.array([(x, y) for y in range(3, 7) for x in range(10, 15)])
MZ = ["mz-426.92886", "mz-741.53061"]


def test_spots_become_circles_at_their_place_in_um(h5ad):
    document = open_files(h5ad(HEX), um_per_unit=100)
    xy = np.array([(p.x, p.y) for p in document["spots"].geometry])
    assert np.allclose(xy, HEX * 100)
    assert np.allclose(document["spots"]["radius"], 25)
    assert np.array_equal(document["spots"].index, document["counts"].obs["instance_id"])


def test_the_pitch_answers_as_well_as_the_unit(h5ad):
    path = h5ad(HEX)
    with pytest.raises(UnitNeeded) as caught:
        open_files(path)
    assert caught.value.parameter == "um_per_unit"
    one, two = open_files(path, um_per_unit=100), open_files(path, spot_pitch_um=100)
    assert np.allclose(one["counts"].obsm["spatial"], two["counts"].obsm["spatial"])


def test_units_in_the_file_are_taken(h5ad):
    document = open_files(h5ad(HEX, uns={"spatial_unit": "mm"}))
    assert np.allclose(document["counts"].obsm["spatial"], HEX * 1000)
    library = {"spatial": {"lib": {"scalefactors": {"spot_diameter_fullres": 130.0}}}}
    document = open_files(h5ad(HEX * 200, uns=library))
    assert np.allclose(document["counts"].obsm["spatial"], HEX * 100)
    assert np.allclose(document["spots"]["radius"], 27.5)


@pytest.mark.parametrize("step", [1, 50])
def test_a_grid_of_spectra_becomes_labels(h5ad, step):
    document = open_files(h5ad(GRID * step, MZ), um_per_unit=10)
    assert np.array_equal(np.asarray(document["a"]), np.arange(1, 21).reshape(4, 5))
    table = document["a_intensities"]
    assert list(table.var_names) == ["426.9289", "741.5306"]
    assert np.allclose(table.var["mz"], [426.92886, 741.53061])
    assert np.allclose(np.diff(table.obsm["spatial"][:2, 0]), 10 * step)


def test_spots_on_whole_numbers_are_not_taken_for_pixels(h5ad):
    assert "spots" in open_files(h5ad(GRID), um_per_unit=10)


def test_one_spot_opens_and_says_so(h5ad):
    document = open_files(h5ad(HEX[:1]), um_per_unit=10)
    assert len(document["spots"]) == 1
    assert any("no pitch" in note for note in document.attrs["spatialml"]["notes"])


def test_columns_named_as_our_ties_or_with_blanks_survive(h5ad, tmp_path):
    obs = {"region": list("ab") * 15, "cell type": list("cd") * 15, "Cell_Type": list("ef") * 15}
    document = open_files(h5ad(HEX, obs=obs), um_per_unit=1)
    table = document["counts"]
    assert set(table.obs["region"]) == {"spots"}
    kept = {tuple(table.obs[c].astype(str)) for c in table.obs if c not in ("region", "instance_id")}
    assert kept == {tuple(v) for v in obs.values()}
    document.write(tmp_path / "a.zarr")


def test_a_file_without_coordinates_or_with_nan_is_refused(h5ad):
    with pytest.raises(BadInput, match=r"obsm\['spatial'\] is absent"):
        open_files(h5ad(None, obs={"a": [1, 2, 3]}), um_per_unit=1)
    values = np.ones((30, 2))
    values[1, 1] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        open_files(h5ad(HEX, values=values), um_per_unit=1)
    with pytest.raises(BadInput, match="1 rows"):
        open_files(h5ad(np.vstack([HEX[1:], [[np.nan, 1]]])), um_per_unit=1)


def test_a_file_that_is_cut_off_is_refused(h5ad):
    path = h5ad(HEX)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInput):
        open_files(path, um_per_unit=1)


@given(st.lists(st.sampled_from(["a", "a-1", "a-2", "b"]), max_size=12))
def test_unique_names_are_unique_and_keep_those_that_were(names):
    notes: list[str] = []
    made = unique_names(names, "names", notes)
    assert len(set(made)) == len(names)
    assert made == unique_names(names, "names", [])
    assert all(new == old or old in names[:i] for i, (old, new) in enumerate(zip(names, made, strict=True)))
    assert bool(notes) == (len(set(names)) < len(names))


@given(st.lists(st.text(max_size=6), max_size=10, unique=True))
def test_storable_names_are_unique_whatever_their_case_and_stay_so(names):
    made = storable(names, reserved=("region",))
    assert len({name.lower() for name in made.values()} | {"region"}) == len(names) + 1
    assert storable(list(made.values())) == {name: name for name in made.values()}


def test_a_reference_takes_the_one_obvious_column(h5ad):
    types = list("ab") * 10
    reference = read_reference(h5ad(None, obs={"sample": ["x"] * 20, "Cell.Type": types}))
    assert reference.column == "Cell.Type"
    assert list(reference.types) == types
    assert any("Cell.Type" in note for note in reference.notes)


def test_a_reference_with_two_candidates_lists_them(h5ad):
    path = h5ad(None, obs={"cell_type": list("ab") * 10, "annotation": list("cd") * 10, "n": np.arange(20)})
    with pytest.raises(BadInput, match="'cell_type', 'annotation'"):
        read_reference(path)
    with pytest.raises(BadInput, match=r"no column 'kind'.*'cell_type', 'annotation'"):
        read_reference(path, "kind")
    assert set(read_reference(path, "annotation").types) == {"c", "d"}


def test_cells_without_a_type_are_left_out_and_noted(h5ad):
    reference = read_reference(h5ad(None, obs={"cell_type": pd.Categorical([*("ab" * 9), None, ""])}))
    assert reference.counts.shape[0] == 18
    assert any("2 of 20 cells" in note for note in reference.notes)


def test_the_real_reference_opens(data):
    reference = read_reference(data / "pdac" / "reference.h5ad")
    assert reference.column == "cellType"
    assert reference.counts.shape == (1926, 7000)
    assert len(np.unique(reference.types)) == 20


@pytest.mark.parametrize(
    ("path", "options", "element", "n"),
    [
        ("bladder_msi/bladder.h5ad", {"um_per_unit": 10}, "bladder", 34840),
        ("dlpfc/151673.h5ad", {"um_per_unit": 1}, "spots", 3639),
        ("pdac/spots.h5ad", {"spot_pitch_um": 200}, "spots", 428),
        ("breast_sections/section1.h5ad", {"spot_pitch_um": 200}, "spots", 254),
    ],
)
def test_real_tables_open_and_come_back_from_a_store(data, tmp_path, path, options, element, n):
    from spatialdata import read_zarr

    document = open_files(data / path, **options)
    (name,) = document.tables
    assert document[name].n_obs == n
    document.write(tmp_path / "a.zarr")
    again = read_zarr(tmp_path / "a.zarr")
    assert (again[name].X != document[name].X).nnz == 0
    assert again[name].uns["spatialdata_attrs"]["region"] == element
    if element in document.labels:
        assert np.array_equal(np.asarray(again[element]), np.asarray(document[element]))
