"""A stack is corrected plane by plane: nothing else moves, and SpatialData keeps the whole stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import spatialdata
from anndata import AnnData
from spatialdata.models import Image3DModel, Labels3DModel, TableModel
from spatialdata.transformations import Scale

from napari_spatialml.errors import DocumentError
from napari_spatialml.session import Session, correct
from napari_spatialml.session.corrections import packed
from napari_spatialml.session.planes import z_step


def _stack(dtype: Any = np.int32) -> np.ndarray[Any, Any]:
    labels = np.zeros((4, 96, 96), dtype)
    labels[0:2, 10:30, 10:30] = 5
    labels[1:4, 40:60, 40:60] = 9
    labels[2, 70:80, 10:20] = 11
    return labels


def _section(levels: int, dtype: Any = np.int32) -> Any:
    scale = {"global": Scale([0.5, 0.5, 2.0], axes=("x", "y", "z"))}
    labels = Labels3DModel.parse(
        da.from_array(_stack(dtype), chunks=(2, 64, 64)), dims=("z", "y", "x"), transformations=scale,
        scale_factors=[{"z": 1, "y": 2, "x": 2}] if levels > 1 else None,
    )  # fmt: skip
    image = Image3DModel.parse(
        da.from_array((_stack(np.uint16) * 100)[None], chunks=(1, 1, 64, 64)),
        dims=("c", "z", "y", "x"), c_coords=["dapi"], transformations=scale,
    )  # fmt: skip
    obs = pd.DataFrame({"region": pd.Categorical(["nuclei"] * 3), "instance_id": [5, 9, 11], "kind": ["a", "b", "c"]})
    obs.index = [f"cell {i}" for i in obs.instance_id]
    table = TableModel.parse(
        AnnData(X=np.arange(6, dtype=np.float32).reshape(3, 2), obs=obs),
        region="nuclei", region_key="region", instance_key="instance_id",
    )  # fmt: skip
    made = spatialdata.SpatialData(images={"dapi": image}, labels={"nuclei": labels}, tables={"cells": table})
    made.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    return made


@pytest.fixture(params=[1, 2])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    path = tmp_path / "stack.zarr"
    _section(request.param).write(path)
    return path


def _on_disk(path: Path) -> np.ndarray[Any, Any]:
    element = spatialdata.read_zarr(path).labels["nuclei"]
    element = element if not hasattr(element, "children") else next(iter(element["scale0"].data_vars.values()))
    return np.asarray(element.data)


def test_a_plane_is_an_element_by_its_address(store: Path) -> None:
    session = Session.open_store(store)
    document = session.document
    assert document.names("labels") == ("nuclei[0]",) and document.names("images") == ("dapi[0]",)
    assert document.planes("nuclei") == 4 and document.placed("nuclei[2]") == ("global",)
    document.view_plane(2)
    assert document.names("labels") == ("nuclei[2]",) and document.annotated("cells") == "nuclei[2]"
    np.testing.assert_array_equal(document.grid("nuclei[2]").read(), _stack()[2])
    np.testing.assert_array_equal(np.asarray(document.element("dapi[2]").data)[0], _stack(np.uint16)[2] * 100)
    with pytest.raises(DocumentError, match="no plane 7"):
        document.grid("nuclei[7]")
    session.close()


def test_a_correction_in_a_plane_is_saved_into_the_stack_and_nowhere_else(store: Path) -> None:
    session = Session.open_store(store)
    document = session.document
    stroke = packed(np.full((6, 6), 9, np.int32))
    session.execute(correct(document, "paint-labels", labels="nuclei[2]", offset=[60, 40], values=stroke))
    session.execute(correct(document, "delete-cells", labels="nuclei[2]", cells=[11]))
    assert session.history[-1].label == "delete cell 11 in nuclei, plane 3"
    session.execute(
        correct(document, "draw-cell", labels="nuclei[0]", outline=[[70, 70], [70, 80], [80, 80], [80, 70]])
    )
    session.save()
    wanted = _stack()
    wanted[2, 60:66, 40:46] = 9
    wanted[2][_stack()[2] == 11] = 0
    wanted[0, 70:80, 70:80] = 12  # above every id of the whole stack, though 5 is the largest of this plane
    np.testing.assert_array_equal(_on_disk(store), wanted)
    assert session.chunks_written > 0
    session.close()
    again = Session.open_store(store)
    again.jump(0)
    again.save()
    np.testing.assert_array_equal(_on_disk(store), _stack())
    again.close()


def test_rows_stay_as_long_as_the_cell_is_in_some_plane(store: Path) -> None:
    session = Session.open_store(store)
    document = session.document
    session.execute(correct(document, "delete-cells", labels="nuclei[0]", cells=[5]))
    assert document.table("cells").obs["instance_id"].tolist() == [5, 9, 11]
    session.execute(correct(document, "delete-cells", labels="nuclei[1]", cells=[5]))
    assert document.table("cells").obs["instance_id"].tolist() == [9, 11]
    session.undo()
    session.undo()
    assert document.table("cells").obs["instance_id"].tolist() == [5, 9, 11]
    session.close()


def test_a_copy_holds_the_corrected_stack_and_its_height(store: Path, tmp_path: Path) -> None:
    session = Session.open_store(store)
    session.execute(correct(session.document, "delete-cells", labels="nuclei[1]", cells=[9]))
    session.save(tmp_path / "copy.zarr")
    wanted = _stack()
    wanted[1][wanted[1] == 9] = 0
    np.testing.assert_array_equal(_on_disk(tmp_path / "copy.zarr"), wanted)
    session.execute(correct(session.document, "set-unit", coordinate_system="global", um_per_unit=2.0))
    session.save()
    session.close()
    again = Session.open_store(tmp_path / "copy.zarr")
    assert again.document.affine("nuclei[3]").scale_factors == pytest.approx((1.0, 1.0))
    assert z_step(again.document.sdata.labels["nuclei"]) == pytest.approx(4.0)
    again.document.view_plane(3)
    assert again.document.names("images") == ("dapi[3]",)
    again.close()


def test_a_stack_is_never_replaced_by_one_plane(store: Path) -> None:
    session = Session.open_store(store)
    before = session.document.fingerprints()
    with pytest.raises(DocumentError, match="stack of planes"):
        session.execute(correct(session.document, "remove-element", name="nuclei[1]"))
    assert session.document.fingerprints() == before and session.position == 0
    session.close()


def test_a_pyramid_that_leaves_out_planes_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    made = _section(1)
    del made.labels["nuclei"]
    made.labels["nuclei"] = Labels3DModel.parse(_stack(), dims=("z", "y", "x"), scale_factors=[2])
    session = Session.start(made)
    with pytest.raises(DocumentError, match="different planes"):
        session.document.grid("nuclei[0]").read()
    session.close()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_tiff_stack_opens_with_its_planes_and_their_distance(channels: int, tmp_path: Path, monkeypatch: Any) -> None:
    import tifffile

    from napari_spatialml.io import open_files

    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path / "state"))
    pixels = np.random.default_rng(0).integers(0, 4000, (3, channels, 40, 50), np.uint16)
    path = tmp_path / "stack.ome.tif"
    told = {"axes": "ZCYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 1.5}
    tifffile.imwrite(path, pixels, metadata=told, ome=True)
    session = Session.start(open_files(path))
    document = session.document
    document.view_plane(2)
    (name,) = document.names("images")
    assert document.planes(name) == 3 and document.affine(name).scale_factors == pytest.approx((0.25, 0.25))
    np.testing.assert_array_equal(np.asarray(document.element(name).data), pixels[2])
    assert z_step(document.sdata.images["stack"]) == pytest.approx(1.5)
    session.close()
