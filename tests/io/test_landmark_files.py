"""Landmarks of other programs: what goes out comes back, and a damaged file says what is wrong with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatialml.core import Affine
from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io.explorer_alignment import read_matrix, write_matrix
from napari_spatialml.io.landmark_files import FORMS, LARGEST, LandmarksFile, read_landmarks, write_landmarks
from napari_spatialml.io.loupe import read_loupe

FIXED = np.array([[10.5, 20.25], [30.0, 41.0], [7.125, 900.0]])
MOVING = np.array([[1.0, 2.0], [300.5, 4.0], [5.0, 6.75]])
places = st.lists(st.tuples(*[st.floats(-1e7, 1e7, allow_nan=False) for _ in range(4)]), min_size=1, max_size=8).map(
    lambda rows: np.array(rows)
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places, st.sampled_from(FORMS), st.data())
def test_what_is_written_is_read_again(tmp_path, rows, form, data):
    unit = "µm" if form == "plain" else "px"
    moving_unit = "µm" if form == "loupe" else unit
    active = np.array([data.draw(st.booleans()) for _ in rows]) if form == "bigwarp" else np.ones(len(rows), bool)
    before = LandmarksFile(rows[:, :2], rows[:, 2:], unit, moving_unit, active=active)
    path = tmp_path / ("a.json" if form == "loupe" else "a.csv")
    assert write_landmarks(path, before, form) == ()
    after = read_landmarks(path).counted(unit)
    assert np.allclose(after.fixed, before.fixed, atol=1e-8, rtol=1e-14)
    assert np.allclose(after.moving, before.moving, atol=1e-8, rtol=1e-14)
    assert (after.active == active).all()


def test_bigwarp_counts_moving_before_fixed_x_before_y_from_the_centre_of_a_pixel(tmp_path):
    path = tmp_path / "landmarks.csv"
    path.write_text(
        '"Pt-0","true","2.0","1.0","20.25","10.5"\n'
        '"Pt-1","false","4.0","300.5","41.0","30.0"\n'
        '"Pt-2","true","9.0","9.0","Infinity","Infinity"\n'
        '"of ""x"", y","true","6.75","5.0","900.0","7.125"\n'
    )
    found = read_landmarks(path)
    assert np.array_equal(found.fixed, FIXED) and np.array_equal(found.moving, MOVING)
    assert found.names == ("Pt-0", "Pt-1", 'of "x", y') and found.active.tolist() == [True, False, True]
    assert found.said == ("1 landmark has no partner and was left out.",)
    with pytest.raises(UnitNeeded, match=r"fixed landmarks are in a unit.*size of one pixel") as caught:
        found.in_um()
    assert caught.value.parameter == "pixel_size_um"
    um = found.in_um(0.5, 2.0)
    assert np.array_equal(um.fixed, (FIXED + 0.5) * 0.5) and np.array_equal(um.moving, (MOVING + 0.5) * 2)
    assert np.array_equal(found.counted("µm").in_um().fixed, FIXED)  # calibrated images
    write_landmarks(tmp_path / "again.csv", found.counted("px"), "bigwarp")
    again = read_landmarks(tmp_path / "again.csv")
    assert np.array_equal(again.fixed, FIXED) and again.names == found.names


def test_bigwarp_in_three_dimensions_loses_its_depth_and_says_so(tmp_path):
    path = tmp_path / "landmarks.csv"
    path.write_text('"Pt-0","true","2.0","1.0","3.0","20.25","10.5","0.0"\n')
    found = read_landmarks(path)
    assert np.array_equal(found.fixed, FIXED[:1]) and np.array_equal(found.moving, MOVING[:1])
    assert "depth" in found.said[0]


def test_keypoints_of_xenium_explorer_count_pixels_of_both_images(tmp_path):
    path = tmp_path / "keypoints.csv"
    path.write_text("fixedX,fixedY,alignmentX,alignmentY\n20.25,10.5,2,1\n41,30,4,300.5\n")
    with pytest.raises(UnitNeeded, match="fixed landmarks count pixels"):
        read_landmarks(path).in_um()
    with pytest.raises(UnitNeeded, match="moving landmarks count pixels"):
        read_landmarks(path).in_um(0.2125)
    found = read_landmarks(path).in_um(0.2125, 0.274)
    assert np.allclose(found.fixed, FIXED[:2] * 0.2125) and np.allclose(found.moving, MOVING[:2] * 0.274)


def test_the_matrix_of_xenium_explorer_maps_the_image_to_the_xenium_image(tmp_path):
    """As the vendor's knowledge base works it through: the corner (0, 0) lies at the last column."""
    path = tmp_path / "matrix.csv"
    path.write_text(
        "0.011071028838929093,1.2895790134339569,807.9788953065927\n"
        "-1.2895790134339569,0.011071028838929093,73097.655174759\n0,0,1\n"
    )
    found = read_matrix(path, 0.2125, 0.274)
    assert np.allclose(found.apply([[0, 0]]), np.array([[73097.655174759, 807.9788953065927]]) * 0.2125)
    one_right = np.array([[73097.655174759 - 1.2895790134339569, 807.9788953065927 + 0.011071028838929093]])
    assert np.allclose(found.apply([[0, 0.274]]), one_right * 0.2125)
    write_matrix(tmp_path / "again.csv", found, 0.2125, 0.274)
    assert np.allclose(read_matrix(tmp_path / "again.csv", 0.2125, 0.274).matrix, found.matrix)
    with pytest.raises(BadInput, match="a matrix, not landmarks"):
        read_landmarks(path)


def loupe(**more):
    """A slide of which the image shows every µm as two pixels, turned by a quarter."""
    spots = [
        {"x": 100.0 * c, "y": 173.2 * r, "row": r, "col": c, "dia": 55, "tissue": c > 1,
         "imageX": 1000 - 2 * 173.2 * r, "imageY": 200.0 * c} for r in range(3) for c in range(4)
    ]  # fmt: skip
    return {"oligo": spots, "fiducial": [], "serialNumber": "V10", "area": "A1", **more}


@pytest.mark.parametrize("unit", [1.0, 0.4])
def test_loupe_lays_the_slides_design_onto_the_image(tmp_path, unit):
    """Whatever the design counts, its spots lie 100 µm apart."""
    held = loupe(transform=[[0, -2, 1000], [2, 0, 0], [0, 0, 1]])
    for spot in held["oligo"]:
        spot["x"], spot["y"] = spot["x"] * unit, spot["y"] * unit
    path = tmp_path / "V10-A1.json"
    path.write_text(json.dumps(held))
    found = read_loupe(path)
    assert (found.serial, found.area) == ("V10", "A1") and found.in_tissue.sum() == 6
    assert np.array_equal(found.matrix, held["transform"])
    um = found.landmarks.in_um(0.5)
    assert np.allclose(um.moving[:2], [[0, 0], [0, 100]])
    assert np.allclose(um.fixed, um.moving[:, ::-1] * (1, -1) + (0, 500))


def test_loupe_prefers_fiducials_and_of_visium_hd_takes_the_matrix(tmp_path):
    path = tmp_path / "a.json"
    fiducials = [{"x": 5, "y": 6, "imageX": 50, "imageY": 60, "fidName": "F1"}]
    path.write_text(json.dumps(loupe(fiducial=fiducials)))
    assert read_loupe(path).landmarks.names == ("F1",)
    flat = [0.2, 0, 10, 0, 0.2, 20, 0, 0, 1]
    held = {"oligo": "/////w==", "fiducial": [], "transform": flat, "cytAssistInfo": {"transformImages": flat}}
    path.write_text(json.dumps(held))
    found = read_loupe(path)
    assert len(found.in_tissue) == 0 and np.array_equal(found.to_cytassist.ravel(), flat)
    moving, fixed = found.landmarks.moving, found.landmarks.fixed
    assert np.allclose(fixed, moving * 0.2 + (20, 10))
    assert found.landmarks.moving_unit == ""  # the design's unit is told by no spot


BIGWARP = '"Pt-0","true","2.0","1.0","20.25","10.5"\n'
PLAIN = "fixed_y_um,fixed_x_um,moving_y_um,moving_x_um\n"
KEYPOINTS = "fixedX,fixedY,alignmentX,alignmentY\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# only a remark\n\n", "is empty"),
        ("hello\n", "no table of landmarks"),
        (PLAIN, "no pair of landmarks"),
        (KEYPOINTS, "no pair of landmarks"),
        (BIGWARP[:20], "4 columns|3 columns|BigWarp writes 6"),
        (BIGWARP + '"Pt-1","true","2.0"\n', "Row 2 .* 3 columns, not 6"),
        (BIGWARP.replace("10.5", "ten"), "'1.0, 2.0, ten, 20.25|holds '"),
        (BIGWARP.replace("10.5", "NaN"), "no place"),
        (BIGWARP.replace("10.5", "-Infinity"), "no pair of landmarks"),
        (PLAIN + "1,2,3\n", "Row 1 .* 3 columns, too few"),
        (PLAIN + "1,2,3,nan\n", "no place"),
        (PLAIN + "1,2,3,\n", "no place"),
        (PLAIN.replace("moving_x_um", "x") + "1,2,3,4\n", "no column 'moving_x_um'"),
        (PLAIN.replace(",", ";") + "1;2;3;4\n", "not separated by commas"),
        (PLAIN.replace(",", "\t") + "1\t2\t3\t4\n", "not separated by commas"),
        (KEYPOINTS.replace("fixedY,", "") + "1,2,3\n", "no column 'fixedY'"),
        (KEYPOINTS + "1,2,3,inf\n", "no place"),
        ('{"oligo": [', "cut short"),
        ("{" * 5 + '"a":' * 3, "not JSON"),
        ('{"a": ' * 100_000, "not JSON"),
        ("{}", "neither 'oligo' nor 'fiducial'"),
        ('{"oligo": [1]}', "lists '1'"),
        ('{"oligo": [{"imageX": 1, "imageY": 2}]}', "has no place"),
        ('{"oligo": [{"imageX": NaN, "imageY": 2, "x": 1, "y": 2}]}', "NaN"),
        ('{"oligo": [], "fiducial": []}', "Nothing of .* is placed"),
        ('{"oligo": [], "fiducial": [], "transform": [1, 2]}', "no 3 × 3 matrix"),
        ('{"oligo": [], "fiducial": [], "transform": "x"}', "no matrix"),
        ('{"oligo": "//8=", "transform": [0, 0, 0, 0, 0, 0, 0, 0, 0]}', "no alignment"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_damaged_file_is_refused_in_words(tmp_path, text, says):
    path = tmp_path / "landmarks.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_landmarks(path)


def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path):
    path = tmp_path / "landmarks.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 100)
    with pytest.raises(BadInput, match="not text"):
        read_landmarks(path)
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(BadInput, match="holds more than"):
        read_landmarks(path)


def test_what_cannot_be_written_or_laid_out_is_refused_in_words(tmp_path):
    pairs = LandmarksFile(FIXED, MOVING)
    with pytest.raises(BadInput, match="cannot be written as 'xml'"):
        write_landmarks(tmp_path / "a", pairs, "xml")
    with pytest.raises(BadInput, match="no landmarks to write"):
        write_landmarks(tmp_path / "a", LandmarksFile(FIXED[:0], MOVING[:0]))
    with pytest.raises(BadInput, match="pixel size of the fixed side is 0"):
        LandmarksFile(FIXED, MOVING, "px", "px").in_um(0.0, 1.0)
    (tmp_path / "m.csv").write_text("1,0,0\n0,0,0\n0,0,1\n")
    with pytest.raises(BadInput, match="no alignment"):
        read_matrix(tmp_path / "m.csv", 1, 1)
    with pytest.raises(BadInput, match="A pixel is -1"):
        write_matrix(tmp_path / "n.csv", Affine.identity(), -1, 1)


@pytest.mark.parametrize("form", ["keypoints", "loupe", "plain"])
def test_landmarks_that_take_no_part_are_spoken_of(tmp_path, form):
    pairs = LandmarksFile(FIXED, MOVING, active=np.array([True, False, True]))
    assert "1 of 3 landmarks take no part" in write_landmarks(tmp_path / "a", pairs, form)[0]


def test_a_plain_table_keeps_its_names_and_remarks(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("# placed by eye\nwhat,moving_x_um,moving_y_um,fixed_x_um,fixed_y_um\ntop,2,1,20.25,10.5\n")
    found = read_landmarks(path)
    assert (
        found.names == ("top",) and np.array_equal(found.fixed, FIXED[:1]) and np.array_equal(found.moving, MOVING[:1])
    )
