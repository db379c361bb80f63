"""Landmarks that are locked stay; sets go to files of other programs and come back to the same places."""

from __future__ import annotations

import json

import numpy as np
import pytest
from spatialdata.models import Image2DModel
from spatialdata.transformations import Affine as Placed

from napari_spatialml.cli import main
from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.session import Session, correct
from napari_spatialml.session.landmark_exchange import export_landmarks, import_landmarks

from .conftest import small_section, state_of

FIXED = [[4.0, 6.0], [20.0, 30.0], [40.0, 10.0]]
MOVING = [[1.0, 2.0], [9.0, 8.0], [3.0, 9.5]]


def done(session, name, **arguments):
    session.execute(correct(session.document, name, landmarks="msi", **arguments))


def held(session):
    return session.document.attribute("landmarks", {})["msi"]


@pytest.fixture
def placed(session: Session) -> Session:
    done(session, "import-landmarks", fixed_um=FIXED, moving_um=MOVING)
    return session


@pytest.fixture
def with_image(tmp_path, monkeypatch):
    """A section whose moving side has an image too, with pixels of 2 µm, turned and shifted."""
    sdata = small_section()
    turned = Placed([[0.0, 2.0, 5.0], [2.0, 0.0, 1.0], [0, 0, 1]], ("x", "y"), ("x", "y"))
    sdata["ions"] = Image2DModel.parse(
        np.zeros((1, 6, 6), np.uint8), dims=("c", "y", "x"), transformations={"msi": turned}
    )
    session = Session.start(sdata)
    done(session, "import-landmarks", fixed_um=FIXED, moving_um=MOVING)
    yield session
    session.close()


def test_a_locked_landmark_is_neither_moved_nor_deleted_until_it_is_unlocked(placed):
    done(placed, "lock-landmark", number=2, locked=True)
    assert held(placed)["locked"] == [False, True, False]
    for name, more in (("move-landmark", {"side": "fixed", "to_um": [1, 1]}), ("delete-landmark", {})):
        with pytest.raises(BadInput, match=r"Landmark 2 of 'msi' is locked\. Unlock it first"):
            done(placed, name, number=2, **more)
    with pytest.raises(BadInput, match="1 of the landmarks of 'msi' cannot go"):
        done(placed, "clear-landmarks")
    with pytest.raises(BadInput, match="cannot go"):
        done(placed, "import-landmarks", fixed_um=FIXED, moving_um=MOVING, replace=True)
    done(placed, "delete-landmark", number=1)
    assert held(placed)["locked"] == [True, False] and held(placed)["fixed_um"] == FIXED[1:]
    done(placed, "add-landmark", fixed_um=[1, 1], moving_um=[2, 2])
    assert held(placed)["locked"] == [True, False, False]
    done(placed, "lock-landmark", number=1, locked=False)
    assert "locked" not in held(placed)
    done(placed, "clear-landmarks")
    assert held(placed)["fixed_um"] == [] == held(placed)["moving_um"]


def test_each_is_one_step_that_is_undone(placed):
    before = state_of(placed)
    for name, arguments in (
        ("lock-landmark", {"number": 1, "locked": True}),
        ("clear-landmarks", {}),
        ("import-landmarks", {"fixed_um": FIXED, "moving_um": MOVING, "replace": True}),
    ):
        done(placed, name, **arguments)
        assert state_of(placed) != before or name == "import-landmarks"
        placed.undo()
        assert state_of(placed) == before


def test_what_cannot_be_locked_cleared_or_taken_in_is_refused_in_words(placed):
    with pytest.raises(BadInput, match="no number 9"):
        done(placed, "lock-landmark", number=9, locked=True)
    with pytest.raises(BadInput, match="3 fixed and 2 moving"):
        done(placed, "import-landmarks", fixed_um=FIXED, moving_um=MOVING[:2])
    with pytest.raises(BadInput, match="not a place"):
        done(placed, "import-landmarks", fixed_um=[[1, float("nan")]], moving_um=[[1, 2]])
    with pytest.raises(BadInput, match="'other' has no landmarks"):
        correct(placed.document, "clear-landmarks", landmarks="other")


@pytest.mark.parametrize("form", ["plain", "bigwarp", "keypoints", "loupe"])
def test_a_set_goes_out_and_comes_back_to_the_same_places(with_image, tmp_path, form):
    path = tmp_path / ("a.json" if form == "loupe" else "a.csv")
    export_landmarks(with_image.document, "msi", path, form)
    if form == "loupe":  # a slide's spots tell its unit
        grid = [{"x": 100 * x, "y": 100 * y} for x in range(3) for y in range(3)]
        path.write_text(json.dumps({**json.loads(path.read_text()), "oligo": grid}))
    command, said = import_landmarks(with_image.document, path, "msi", replace=True)
    assert said == ()
    done(with_image, "clear-landmarks")
    with_image.execute(command)
    assert np.allclose(held(with_image)["fixed_um"], FIXED) and np.allclose(held(with_image)["moving_um"], MOVING)
    assert with_image.history[-1].label == f"import 3 landmarks of {path.name}"


def test_bigwarp_counts_the_pixels_of_each_sides_image(with_image, tmp_path):
    export_landmarks(with_image.document, "msi", tmp_path / "a.csv", "bigwarp")
    first = (tmp_path / "a.csv").read_text().splitlines()[0].replace('"', "").split(",")
    assert [float(v) for v in first[4:]] == [6 / 0.5 - 0.5, 4 / 0.5 - 0.5]  # x, y of half a µm, from its centre
    assert [float(v) for v in first[2:4]] == [(1 - 1) / 2 - 0.5, (2 - 5) / 2 - 0.5]


def test_pixels_of_an_image_that_is_not_there_are_refused_in_words(placed, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("fixedX,fixedY,alignmentX,alignmentY\n1,2,3,4\n")
    with pytest.raises(UnitNeeded, match=r"moving landmarks count pixels.*moving images: none"):
        import_landmarks(placed.document, path, "msi")
    with pytest.raises(BadInput, match="no landmarks 'ghost'"):
        export_landmarks(placed.document, "ghost", path)
    path.write_text('"Pt-0","false","1","2","3","4"\n')
    with pytest.raises(BadInput, match="None of the 1 landmarks"):
        import_landmarks(placed.document, path, "msi", unit="µm")


def test_landmarks_go_out_and_come_in_from_the_command_line(placed, tmp_path, capsys):
    store = placed.save(tmp_path / "s.zarr")
    placed.close()
    out = tmp_path / "a.csv"
    assert main(["export", str(store), "--landmarks", "msi", "--as", "plain", "--out", str(out)]) == 0
    assert main(["import", str(store), str(out), "--landmarks", "msi"]) == 0
    assert "Import 3 landmarks of a.csv." in capsys.readouterr().out
    again = Session.open_store(store)
    try:
        assert held(again)["fixed_um"] == FIXED + FIXED
    finally:
        again.close()
    assert main(["export", str(store), "--landmarks", "msi", "--out", str(tmp_path / "a.geojson")]) != 0
    assert "cannot be written as geojson" in capsys.readouterr().err
