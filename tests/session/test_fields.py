"""Laws of stored transforms: small in the attributes, the same after reopening, checked, and found or told of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core import Affine, Chain, DisplacementField, LocalWarp, ThinPlateSpline, Transform
from napari_spatialml.core.transform import InverseTransform
from napari_spatialml.errors import BadInput, DocumentError
from napari_spatialml.session import Session
from napari_spatialml.session.changes import Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.fields import restored, stored

from .conftest import state_of

BEYOND = np.random.default_rng(9).uniform(-200, 400, (500, 2))


def large_field(seed: int = 0, dtype: type = np.float32) -> DisplacementField:
    return DisplacementField((-5.0, 3.0), 2.0, np.random.default_rng(seed).normal(0, 1, (60, 70, 2)).astype(dtype))


def all_kinds() -> Transform:
    corners = np.array([[0.0, 0], [0, 90], [90, 0], [90, 90], [40, 50]])
    spline = ThinPlateSpline(corners, corners + np.random.default_rng(1).normal(0, 3, corners.shape), 0.1)
    pins = LocalWarp([[20.0, 20.0]], [[24.0, 18.0]], 30.0)
    return Chain((Affine.similarity(1.1, 20, (3, 4), True), InverseTransform(spline), large_field(), pins))


def keep(session: Session, transform: Transform) -> None:
    """Keep a transform as an alignment, in one step."""
    values, changes = stored(session.document, transform)
    old = session.document.attribute("alignments")
    new = {**(old or {}), "msi": {"fixed": "global", "transform": values}}
    session.execute(Command("align", (*changes, Put(("attrs", "alignments"), old, new))))


def kept(session: Session) -> Transform:
    return restored(session.document, session.document.attribute("alignments")["msi"]["transform"])


def test_a_reopened_transform_is_the_same_and_the_attributes_stay_small(session: Session, tmp_path: Path) -> None:
    transform = all_kinds()
    session.save(tmp_path / "first.zarr")
    keep(session, transform)
    assert len(json.dumps(session.document.attribute("alignments"))) < 4000
    assert kept(session) == transform
    session.save()
    session.save(tmp_path / "second.zarr")
    session.close()
    for name in ("first.zarr", "second.zarr"):
        again = Session.open_store(tmp_path / name)
        moved = np.linalg.norm(kept(again).apply(BEYOND) - transform.apply(BEYOND), axis=1)
        assert moved.max() < 1e-9, "far within 0.01 px"
        again.close()


def test_keeping_a_field_is_undone_and_done_again_to_the_same_bits(session: Session, tmp_path: Path) -> None:
    session.save(tmp_path / "s.zarr")
    before = state_of(session)
    keep(session, large_field(0))
    first = state_of(session)
    keep(session, large_field(1))
    session.save()
    assert len(list((tmp_path / "s.zarr" / "displacements").iterdir())) == 3  # two fields and the group's own file
    session.undo()
    assert state_of(session) == first
    assert kept(session) == large_field(0)
    session.save()
    session.undo()
    assert state_of(session) == before
    session.save()
    session.redo()
    session.save()
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert state_of(again) == first
    assert kept(again) == large_field(0)
    again.close()


def test_a_kill_after_keeping_a_field_loses_nothing(session: Session, tmp_path: Path) -> None:
    session.save(tmp_path / "s.zarr")
    keep(session, large_field(3))
    session.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert kept(again) == large_field(3)
    again.close()


def test_small_fields_and_splines_need_nothing_beside_the_attributes(session: Session) -> None:
    small = DisplacementField((0, 0), 5.0, np.ones((5, 6, 2)))
    values, changes = stored(session.document, Chain((small, Affine.identity())))
    assert changes == []
    assert restored(session.document, json.loads(json.dumps(values))) == Chain((small, Affine.identity()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_field_that_was_changed_on_the_disk_is_not_believed(session: Session, tmp_path: Path, dtype: type) -> None:
    import zarr

    keep(session, large_field(4, dtype))
    session.save(tmp_path / "s.zarr")
    session.close()
    name = next(p.name for p in (tmp_path / "s.zarr" / "displacements").iterdir() if p.is_dir())
    array = zarr.open_array(tmp_path / "s.zarr" / "displacements" / name / "0", mode="r+")
    array[3, 3, 0] = 99.0
    again = Session.open_store(tmp_path / "s.zarr")
    with pytest.raises(DocumentError, match="damaged"):
        kept(again)
    again.close()


@pytest.mark.filterwarnings("ignore")
def test_a_store_written_elsewhere_by_spatialdata_says_where_the_field_is(session: Session, tmp_path: Path) -> None:
    import spatialdata

    session.save(tmp_path / "ours.zarr")
    keep(session, all_kinds())
    session.save()
    session.close()
    spatialdata.read_zarr(tmp_path / "ours.zarr").write(tmp_path / "copy.zarr")
    copied = Session.open_store(tmp_path / "copy.zarr")
    with pytest.raises(BadInput, match=r"is not in this store: it lies in the folder 'displacements' of 'ours.zarr'"):
        kept(copied)
    copied.close()
    shutil.copytree(tmp_path / "ours.zarr" / "displacements", tmp_path / "copy.zarr" / "displacements")
    copied = Session.open_store(tmp_path / "copy.zarr")
    assert kept(copied) == all_kinds()
    copied.close()


def test_plain_spatialdata_reads_the_store_and_finds_the_affine_in_place(session: Session, tmp_path: Path) -> None:
    """In a process that does not know this program."""
    affine = Affine.similarity(0.5, 30, (4, 5), True) @ session.document.affine("pixels", "msi")
    slot = ("transforms", "labels", "pixels", "global")
    session.execute(Command("lie", (Put(slot, None, affine.to_xy().tolist()),)))
    keep(session, all_kinds())
    session.save(tmp_path / "s.zarr")
    session.close()
    told = """
import json, sys, warnings
warnings.simplefilter("ignore")
import spatialdata
from spatialdata.transformations import get_transformation
sdata = spatialdata.read_zarr(sys.argv[1])
matrix = get_transformation(sdata["pixels"], to_coordinate_system="global").to_affine_matrix(("x", "y"), ("x", "y"))
assert not any(name.startswith("napari_spatialml") for name in sys.modules)
print(json.dumps(matrix.tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", told, str(tmp_path / "s.zarr")], capture_output=True, text=True, check=True, timeout=120
    )
    assert np.allclose(json.loads(done.stdout.splitlines()[-1]), affine.to_xy(), atol=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        {"type": "displacement field", "array": "../../etc", "origin": [0, 0], "spacing_um": 1.0},
        {"type": "displacement field", "array": "0" * 32},
        {"type": "chain", "transforms": [{"type": "displacement field", "array": "0" * 32}]},
        {"type": "chain", "transforms": 3},
        [],
    ],
)
def test_values_that_name_no_field_are_refused_in_words(session: Session, tmp_path: Path, values: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.save(tmp_path / "s.zarr")
    with pytest.raises(BadInput):
        restored(session.document, values)  # type: ignore[arg-type]
