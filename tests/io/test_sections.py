"""Counts, spot positions and image of a section are one, whichever file is given, and lie in µm."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files, recognise


def _xy(document, name="spots"):
    return np.array([(p.x, p.y) for p in document[name].geometry])


@pytest.mark.parametrize("given", ["section1.jpg", "section1_counts.tsv.gz", "section1_spots.tsv.gz", ""])
def test_any_file_of_a_section_opens_it_whole(section, given):
    folder = section()
    document = open_files(folder / given, spot_pitch_um=100)
    assert set(document["spots"].index) == set(document["counts"].obs["instance_id"])
    assert document["image"].shape == (3, 100, 120)
    assert list(document["image"].coords["c"].values) == ["r", "g", "b"]
    assert document["counts"].shape == (16, 3)  # the fifth column of spots is not selected


def test_all_files_of_a_section_given_together_open_it_once(section):
    folder = section()
    document = open_files(*sorted(folder.iterdir()), spot_pitch_um=100)
    assert sorted(name for _, name, _ in document.gen_elements()) == ["counts", "image", "spots"]


def test_files_with_different_prefixes_given_together_are_one_section(section):
    folder = section()
    for old, new in (("section1_counts.tsv.gz", "matrix.tsv.gz"), ("section1.jpg", "tissue.jpg")):
        (folder / old).rename(folder / new)
    document = open_files(*sorted(folder.iterdir()), spot_pitch_um=100)
    assert sorted(name for _, name, _ in document.gen_elements()) == ["counts", "image", "spots"]


@pytest.mark.parametrize("pitch", [50.0, 150.0, 200.0])
def test_neighbouring_spots_lie_one_pitch_apart_and_on_their_pixels(section, pitch):
    from scipy.spatial import cKDTree
    from spatialdata.transformations import get_transformation

    document = open_files(section(), spot_pitch_um=pitch)
    xy = _xy(document)
    assert np.allclose(cKDTree(xy).query(xy, k=2)[0][:, 1], pitch)
    scale = get_transformation(document["image"]).to_affine_matrix(("x", "y"), ("x", "y"))
    assert np.allclose(np.diag(scale)[:2], pitch / 20)
    assert np.allclose(xy / (pitch / 20), document["counts"].obs[["array_x", "array_y"]] * 20 + [10, 15])


def test_counts_follow_their_spot_when_rows_are_shuffled(section, tmp_path):
    (tmp_path / "b").mkdir()
    section()
    section(edit_counts=lambda lines: [lines[0], *lines[:0:-1]], folder=tmp_path / "b")
    one = open_files(tmp_path / "section1.jpg", spot_pitch_um=100)
    two = open_files(tmp_path / "b", spot_pitch_um=100)
    order = one["counts"].obs_names
    assert (one["counts"].X != two["counts"][order].X).nnz == 0
    assert np.allclose(one["counts"].obsm["spatial"], two["counts"][order].obsm["spatial"])


def test_rows_named_with_an_underscore_are_array_positions_too(section):
    folder = section(edit_counts=lambda lines: [lines[0], *(line.replace("x", "_", 1) for line in lines[1:])])
    assert open_files(folder, spot_pitch_um=100)["counts"].n_obs == 16


def test_a_section_without_a_unit_asks_for_the_pitch(section):
    with pytest.raises(UnitNeeded) as caught:
        open_files(section())
    assert caught.value.parameter == "spot_pitch_um"


def test_a_folder_of_two_sections_lists_them_and_opens_the_one_named(section):
    section("left")
    folder = section("right", edit_counts=lambda lines: lines[:9])
    with pytest.raises(BadInput, match="left, right"):
        open_files(folder, spot_pitch_um=100)
    with pytest.raises(BadInput, match="no section 'middle'"):
        open_files(folder, spot_pitch_um=100, name="middle")
    assert open_files(folder, spot_pitch_um=100, name="right")["counts"].n_obs == 8


def test_positions_that_match_no_counts_are_refused(section):
    folder = section(edit_counts=lambda lines: [lines[0], *(f"9{line}" for line in lines[1:])])
    with pytest.raises(BadInput, match=r"No row of 'section1_counts.tsv.gz' .* lies at a position"):
        open_files(folder, spot_pitch_um=100)


@pytest.mark.parametrize(
    ("value", "said"), [("-1", "1 negative"), ("nan", "1 values that are NaN"), ("many", "text in the column 'B'")]
)
def test_counts_that_are_negative_nan_or_words_are_refused(section, value, said):
    def edit(lines):
        cells = lines[3].split("\t")
        cells[2] = value
        return [*lines[:3], "\t".join(cells), *lines[4:]]

    with pytest.raises(BadInput, match=said):
        open_files(section(edit_counts=edit), spot_pitch_um=100)


def test_one_spot_opens_and_says_that_there_is_no_pitch(section):
    folder = section(edit_spots=lambda lines: lines[:2])
    with pytest.raises(UnitNeeded, match="one spot only") as caught:
        open_files(folder, spot_pitch_um=100)
    assert caught.value.parameter == "pixel_size_um"
    document = open_files(folder, pixel_size_um=2)
    assert len(document["spots"]) == 1
    assert any("no pitch" in note for note in document.attrs["spatialml"]["notes"])


def test_repeated_genes_get_a_number_and_a_note(section):
    folder = section(edit_counts=lambda lines: ["\tA\tA\tA-1", *lines[1:]])
    document = open_files(folder, spot_pitch_um=100)
    assert list(document["counts"].var_names) == ["A", "A-2", "A-1"]
    assert any("gene names were repeated" in note for note in document.attrs["spatialml"]["notes"])


def test_a_repeated_row_of_counts_is_refused_or_made_unique(section):
    folder = section(edit_counts=lambda lines: [*lines, lines[1]])
    document = open_files(folder, spot_pitch_um=100)
    assert document["counts"].obs_names.is_unique
    assert any("spot names were repeated" in note for note in document.attrs["spatialml"]["notes"])


def test_a_table_without_its_other_half_says_what_is_missing(section):
    folder = section(image=False)
    (folder / "section1_spots.tsv.gz").unlink()
    with pytest.raises(BadInput, match="No table of spots"):
        open_files(folder / "section1_counts.tsv.gz", spot_pitch_um=100)


def test_a_damaged_gzip_is_refused(section):
    folder = section()
    whole = (folder / "section1_counts.tsv.gz").read_bytes()
    (folder / "section1_counts.tsv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="damaged"):
        open_files(folder / "section1_spots.tsv.gz", spot_pitch_um=100)


@pytest.mark.parametrize(("name", "n"), [("section1", 379), ("section2", 407)])
def test_the_olfactory_bulb_opens_with_its_tissue_spots(data, tmp_path, name, n):
    from scipy.spatial import cKDTree
    from spatialdata import read_zarr

    folder = data / "olfactory_bulb_he"
    assert recognise(folder).name == "count-table"
    document = open_files(folder, name=name, spot_pitch_um=150)
    assert document["counts"].shape == (n, 1000)
    xy = _xy(document)
    assert np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]) == pytest.approx(150, rel=0.05)
    document.write(tmp_path / "a.zarr")
    again = read_zarr(tmp_path / "a.zarr")
    assert np.array_equal(again["counts"].X.toarray(), document["counts"].X.toarray())
    assert np.array_equal(np.asarray(again["image"]), np.asarray(document["image"]))
    assert again.attrs["spatialml"] == document.attrs["spatialml"]
