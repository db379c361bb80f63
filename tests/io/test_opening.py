"""What cannot be opened is said in one sentence; several files become one document with a frame each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_spatialml.errors import BadInput, Cancelled, UnitNeeded
from napari_spatialml.io import formats, open_files, recognise


@pytest.fixture
def picture(tmp_path):
    def write(name="he.png", value=100):
        Image.fromarray(np.full((30, 40, 3), value, np.uint8)).save(tmp_path / name)
        return tmp_path / name

    return write


def test_a_missing_path_an_empty_folder_and_nothing_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no file or folder"):
        open_files(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="'empty' is empty"):
        open_files(tmp_path / "empty")
    with pytest.raises(BadInput, match="No file"):
        open_files()


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 100, b"a,b\n1,2\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.h5ad", "a.csv", "a"])
def test_an_unknown_file_says_what_was_looked_for(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        open_files(tmp_path / name)
    assert all(form.what in str(caught.value) for form in formats())


def test_content_counts_not_the_name(picture, tmp_path):
    picture().rename(tmp_path / "he.dat")
    assert recognise(tmp_path / "he.dat").name == "image"
    with pytest.raises(BadInput, match="different formats"):
        (tmp_path / "x.imzML").write_text("<mzML/>")
        recognise([tmp_path / "he.dat", tmp_path / "x.imzML"])


def test_a_later_image_has_a_frame_of_its_own(picture):
    from spatialdata.transformations import get_transformation

    sizes = {"a.png": 1.0, "b.png": 2.0}
    document = open_files(picture("a.png"), picture("b.png"), pixel_size_um=sizes)
    assert set(get_transformation(document["a"], get_all=True)) == {"global"}
    assert set(get_transformation(document["b"], get_all=True)) == {"b"}
    assert document.attrs["spatialml"]["um_per_unit"] == {"global": 1.0, "b": 1.0}
    assert len(document.attrs["spatialml"]["sources"]) == 2


def test_one_pixel_size_is_not_taken_for_two_images(picture):
    with pytest.raises(BadInput, match=r"'a\.png' and 'b\.png' each need their own"):
        open_files(picture("a.png"), picture("b.png"), pixel_size_um=1)


def test_a_pixel_size_serves_the_file_that_needs_it(picture, tmp_path):
    import tifffile

    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((20, 20), np.uint8), resolution=(20000, 20000), resolutionunit="CENTIMETER"
    )
    document = open_files(tmp_path / "a.tif", picture("b.png"), pixel_size_um=10)
    from spatialdata.transformations import get_transformation

    matrices = [get_transformation(document[n], get_all=True).popitem()[1] for n in "ab"]
    assert [m.to_affine_matrix(("x",), ("x",))[0, 0] for m in matrices] == pytest.approx([0.5, 10])


def test_names_that_are_taken_get_their_files_name_and_tables_follow(section, tmp_path):
    section("left")
    section("right")
    document = open_files(
        tmp_path / "left.jpg",
        tmp_path / "right.jpg",
        spot_pitch_um={"left.jpg": 100, "right": 200},
    )
    assert set(document.tables) == {"counts", "right_counts"}
    for table in document.tables.values():
        region = table.uns["spatialdata_attrs"]["region"]
        assert set(table.obs["region"]) == {region}
        assert set(document[region].index) == set(table.obs["instance_id"])
    document.write(tmp_path / "a.zarr")


def test_the_same_file_twice_is_opened_once(picture):
    path = picture()
    assert len(list(open_files(path, path, pixel_size_um=1).gen_elements())) == 1


def test_progress_ends_at_1_and_stop_stops(picture):
    said = []
    open_files(picture(), pixel_size_um=1, report=lambda fraction, message="": said.append(fraction))
    assert said == sorted(said)
    assert said[-1] == 1

    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        open_files(picture(), pixel_size_um=1, report=stop)


def test_a_store_of_ours_opens_without_a_question_and_unchanged(picture, tmp_path):
    open_files(picture(), pixel_size_um=0.5).write(tmp_path / "a.zarr")
    before = _state(tmp_path / "a.zarr")
    document = open_files(tmp_path / "a.zarr")
    assert np.asarray(document["he"]).mean() == 100
    assert _state(tmp_path / "a.zarr") == before
    with pytest.raises(BadInput, match="1 µm"):
        open_files(tmp_path / "a.zarr", um_per_unit=2)


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "readme").touch()
    with pytest.raises(BadInput, match="not a zarr store"):
        open_files(tmp_path / "a.zarr", um_per_unit=1)
    (tmp_path / "a.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(BadInput, match="no SpatialData elements"):
        open_files(tmp_path / "a.zarr", um_per_unit=1)


def _state(folder: Path):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}


@pytest.fixture
def xenium(data, tmp_path):
    """Return a copy of the real store that may be broken."""
    copy = tmp_path / "x.zarr"
    shutil.copytree(data / "vendor" / "xenium_spatialdata.zarr", copy, copy_function=shutil.copyfile)
    return copy


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("images/morphology_focus/0/.zarray", "morphology_focus"),
        ("images/morphology_focus/.zattrs", "morphology_focus"),
        ("labels/cell_labels/1", "cell_labels"),
        ("shapes/cell_circles/.zgroup", "cell_circles"),
        ("shapes/cell_circles/shapes.parquet", "cell_circles"),
        ("points/transcripts/points.parquet", "transcripts"),
        ("tables/table/X/indptr", "table"),
        ("tables/table/obs", "table"),
    ],
)
def test_half_a_store_names_the_element(xenium, lost, named):
    target = xenium / lost
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(BadInput, match=rf"element '{named}'"):
        open_files(xenium, um_per_unit=0.2125)


def test_a_link_out_of_the_store_is_refused(xenium, tmp_path):
    target = xenium / "shapes" / "cell_circles" / "shapes.parquet"
    target.rename(tmp_path / "elsewhere.parquet")
    target.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(BadInput, match="link out of the store"):
        open_files(xenium, um_per_unit=0.2125)


def test_a_vendors_store_is_asked_for_its_unit_and_not_touched(data, tmp_path):
    from spatialdata import read_zarr
    from spatialdata.transformations import get_transformation

    store = data / "vendor" / "xenium_spatialdata.zarr"
    before = _state(store)
    with pytest.raises(UnitNeeded) as caught:
        open_files(store)
    assert caught.value.parameter == "um_per_unit"
    document = open_files(store, um_per_unit=0.2125)
    # Xenium's shapes are stored in µm: in µm their transformation is the identity
    matrix = get_transformation(document["cell_circles"]).to_affine_matrix(("x", "y"), ("x", "y"))
    assert np.allclose(matrix, np.eye(3))
    document.write(tmp_path / "copy.zarr")
    assert _state(store) == before
    again = read_zarr(tmp_path / "copy.zarr")
    assert {n for _, n, _ in again.gen_elements()} == {n for _, n, _ in document.gen_elements()}
    open_files(tmp_path / "copy.zarr")


def test_histology_and_metabolites_open_together(data, tmp_path):
    folder = data / "bladder_msi"
    document = open_files(
        folder / "bladder_he.tif",
        folder / "bladder_crop40x40.imzML",
        pixel_size_um={"bladder_he.tif": 2, "bladder_crop40x40.imzML": 10},
    )
    assert set(document.coordinate_systems) == {"global", "bladder_crop40x40"}
    document.write(tmp_path / "a.zarr")


def test_importing_the_readers_loads_nothing_heavy():
    heavy = ("spatialdata", "scanpy", "torch", "anndata", "tifffile", "zarr", "dask", "napari.viewer", "pandas")
    code = f"import sys, napari_spatialml.io; print([m for m in {heavy!r} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
