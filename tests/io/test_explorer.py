"""Selections of Xenium Explorer: one or several in a file, in µm."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from napari_spatialml.errors import BadInput
from napari_spatialml.io.explorer import is_explorer_selection, read_explorer, write_explorer
from napari_spatialml.io.regions_file import RegionsFile

ONE = "#Selection name: Tumor, left\n#Area (µm^2): 400.00\nX,Y\n10,10\n30,10\n30,30\n10,30\n10,10\n"
SEVERAL = (
    "#Selection names: a, b\n#Areas (µm^2): 400.00, 50.00\nSelection,X,Y,Class,Color\n"
    "a,10,10,Tumor,#ff0000\na,30,10,Tumor,#ff0000\na,30,30,Tumor,#ff0000\na,10,30,Tumor,#ff0000\n"
    "b,0,0,,\nb,10,0,,\nb,10,10,,\n"
)


def written(folder, text):
    path = folder / "selection.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_one_selection_is_read(tmp_path):
    path = written(tmp_path, ONE)
    found = read_explorer(path)
    assert is_explorer_selection(path) and found.unit == "µm"
    assert found.notes == ("Tumor, left",) and found.geometry[0].area == 400 and not found.said


def test_several_selections_are_read_with_class_and_colour(tmp_path):
    found = read_explorer(written(tmp_path, SEVERAL.replace("\n", "\r\n").encode("utf-8-sig")))
    assert found.notes == ("a", "b") and found.classes == ("Tumor", "") and found.colours == {"Tumor": "#ff0000"}
    assert [g.area for g in found.geometry] == [400.0, 50.0]


def made(geometry, classes, notes):
    nothing = ("",) * len(notes)
    return RegionsFile(
        np.array(geometry, object), tuple(f"r{k}" for k in range(len(notes))), classes, notes, nothing, nothing,
        ("annotation",) * len(notes), "µm", colours={"Tumour": "#e69f00"},
    )  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "s.csv"
    boxes = [shapely.box(0.1, 0.2, 7.3, 9.9), shapely.box(1 / 3, 0, 20, 20)]
    assert write_explorer(path, made(boxes, ("Tumour", ""), ('a "quoted", name', "b"))) == ()
    again = read_explorer(path)
    assert shapely.equals_exact(again.geometry, np.array(boxes, object), 0).all()
    assert again.notes == ('a "quoted", name', "b") and again.classes == ("Tumour", "")
    assert path.read_text().startswith("#Selection names: ")


def test_spatialdatas_reader_reads_what_is_written(tmp_path):
    io = pytest.importorskip("spatialdata_io")
    from spatialdata_io.readers.xenium import xenium_explorer_selection

    assert io is not None
    boxes = [shapely.box(0, 0, 10, 10), shapely.box(20, 20, 25, 30)]
    write_explorer(tmp_path / "several.csv", made(boxes, ("", ""), ("a", "b")))
    write_explorer(tmp_path / "one.csv", made(boxes[:1], ("",), ("a",)))
    several = xenium_explorer_selection(tmp_path / "several.csv", pixel_size=1.0, return_list=True)
    one = xenium_explorer_selection(tmp_path / "one.csv", pixel_size=1.0)
    assert [p.area for p in several] == [100.0, 50.0] and one.area == 100.0


def test_what_the_format_cannot_tell_is_said(tmp_path):
    holed = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 4, 4))
    two = shapely.MultiPolygon([holed, shapely.box(20, 0, 30, 10)])
    said = write_explorer(tmp_path / "s.csv", made([two], ("Tumour",), ("",)))
    assert "no holes: 1 was left out" in said[0] and "2 selections" in said[1]
    assert read_explorer(tmp_path / "s.csv").notes == ("Tumour", "Tumour-1")


@pytest.mark.parametrize(
    "text, words",
    [
        ("#Selection name: a\n#Area (µm^2): 1\nCell ID,Area\nx,1\n", "not X and Y"),
        ("#Selection name: a\n#Area (µm^2): 1\nX,Y\n1,2\nx,3\n", "Row 2 .* no place"),
        ("#Selection name: a\n#Area (µm^2): 1\nX,Y\n1,2\nnan,3\n4,5\n", "no place"),
        ("#Selection name: a\n#Area (µm^2): 1\nX,Y\n1,2\n3,4\n", "no selection that encloses"),
        ("#Selection name: a\n", "columns none"),
        ("#Selection name: a\nX,Y\n1\n", "no place"),
    ],
)
def test_what_is_damaged_is_refused_in_one_sentence(tmp_path, text, words):
    with pytest.raises(BadInput, match=words):
        read_explorer(written(tmp_path, text))
