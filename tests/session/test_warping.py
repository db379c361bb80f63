"""Laws of resampled copies: they show what the transform says, and are made when they are looked at."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.ndimage import gaussian_filter
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel, PointsModel, ShapesModel
from spatialdata.transformations import Affine as Placed

from napari_spatialml.core import Affine, Chain, DisplacementField, LocalWarp, ThinPlateSpline, Transform
from napari_spatialml.core.transform import warp_image
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session
from napari_spatialml.session.changes import EditLabels, Put
from napari_spatialml.session.command import Command
from napari_spatialml.session.document import ELEMENT_TYPES
from napari_spatialml.session.fields import stored
from napari_spatialml.session.warping import warped_elements

from .conftest import state_of

SIZE = 300
OWN = Affine(np.array([[0.5, 0.0, 20.0], [0.0, -0.5, 170.0], [0, 0, 1]]))
"""Half a µm a pixel, mirrored, somewhere in the moving frame."""


def section() -> SpatialData:
    rng = np.random.default_rng(0)
    lies = {"moving": Placed(OWN.to_xy(), ("x", "y"), ("x", "y"))}
    y, x = np.mgrid[:SIZE, :SIZE]
    smooth = (120 + 100 * np.sin(y / 17) * np.cos(x / 23)).astype(np.uint8)
    labels = (y // 20 * 100 + x // 20 + 1).astype(np.int32)
    holed = shapely.Polygon(
        [(10, 10), (250, 12), (240, 200), (15, 190)],
        [[(50, 50), (90, 50), (90, 90)], [(120, 60), (150, 60), (140, 99)]],
    )
    parts = shapely.MultiPolygon([shapely.box(200, 220, 280, 290), shapely.box(20, 220, 60, 260)])
    outlines = geopandas.GeoDataFrame({"kind": ["lobe", "two"]}, geometry=[holed, parts], index=["a7", "b9"])
    spots = rng.uniform(20, 280, (9, 2))
    frame = pd.DataFrame(
        {"x": rng.uniform(0, SIZE, 500), "y": rng.uniform(0, SIZE, 500), "gene": rng.choice(["a", "b"], 500)}
    )
    return SpatialData.init_from_elements(
        {
            "plain": Image2DModel.parse(
                smooth[None], dims=("c", "y", "x"), c_coords=["dapi"], transformations=dict(lies)
            ),
            "levels": Image2DModel.parse(
                np.stack([smooth, 255 - smooth, smooth // 2]), dims=("c", "y", "x"), c_coords=["r", "g", "b"],
                scale_factors=[2, 2], transformations=dict(lies),
            ),
            "cells": Labels2DModel.parse(labels, dims=("y", "x"), scale_factors=[2], transformations=dict(lies)),
            "lobes": ShapesModel.parse(outlines, transformations=dict(lies)),
            "spots": ShapesModel.parse(spots, geometry=0, radius=4.0, transformations=dict(lies)),
            "transcripts": PointsModel.parse(
                dd.from_pandas(frame, npartitions=3), coordinates={"x": "x", "y": "y"}, feature_key="gene",
                transformations=dict(lies), sort=False,
            ),
            "below": Image2DModel.parse(np.zeros((1, 20, 20), np.uint8), dims=("c", "y", "x")),
        },
        attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0, "moving": 1.0}}},
    )  # fmt: skip


NAMES = ["plain", "levels", "cells", "lobes", "spots", "transcripts"]


def bent() -> Transform:
    """A turn, a bend of some µm over the section, a field and a pin."""
    corners = np.stack(np.meshgrid([20.0, 95, 170], [20.0, 95, 170]), -1).reshape(-1, 2)
    spline = ThinPlateSpline(corners, corners + np.random.default_rng(3).normal(0, 4, corners.shape))
    waves = gaussian_filter(np.random.default_rng(1).normal(0, 8, (50, 50, 2)), (5, 5, 0))
    field = DisplacementField((0, 0), 4.0, waves)
    return Chain(
        (spline, field, Affine.similarity(1.3, 25, (400, 300)), LocalWarp([[500.0, 500.0]], [[504, 498]], 40.0))
    )


@pytest.fixture
def session() -> Iterator[Session]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Session.start(section())
        yield made
        made.close()


def move(session: Session, transform: Transform) -> None:
    values, changes = stored(session.document, transform)
    more = warped_elements(session.document, NAMES, "moving", "global", transform, values)
    session.execute(Command("register", (*changes, *more)))


def levels(document: Any, name: str) -> list[np.ndarray]:
    if document.type_of(name) == "labels":
        return [document.grid(name).read(None, k) for k in range(len(document.grid(name).levels))]
    element = document.element(name)
    scales = [element[s] for s in element.children] if hasattr(element, "children") else []
    return [next(iter(s.values())).to_numpy() for s in scales] or [element.to_numpy()]


def test_what_moves_moves_together_and_pixels_are_made_when_looked_at(session: Session, monkeypatch) -> None:
    from napari_spatialml.core.warp import Resampler

    looked: list[tuple[int, int]] = []
    real = Resampler.block
    monkeypatch.setattr(
        Resampler, "block", lambda self, at, shape, fill=0.0: looked.append(at) or real(self, at, shape, fill)
    )
    move(session, bent())
    assert looked == [], "nothing is resampled before anyone looks"
    names = {n for t in ELEMENT_TYPES for n in session.document.names(t)}
    assert names >= {f"{n}_warped" for n in NAMES}
    levels(session.document, "levels_warped")
    assert looked
    session.undo()
    assert "plain_warped" not in session.document.names("images")
    assert session.document.attribute("warped_from") is None
    session.redo()
    assert session.document.tables_of("cells_warped") == ()


@pytest.mark.parametrize("name", ["plain", "levels"])
def test_an_image_shows_what_lies_there_on_every_level(session: Session, name: str) -> None:
    move(session, bent())
    document = session.document
    found, originals = levels(document, f"{name}_warped"), levels(document, name)
    assert len(found) == len(originals)
    assert found[0].dtype == np.uint8
    lies = document.affine(f"{name}_warped")
    centre = Affine.translation(0.5, 0.5)
    for made, original in zip(found, originals, strict=True):
        down = Affine.scale(*(SIZE / n for n in original.shape[1:])) @ centre
        up = lies @ Affine.scale(*(a / b for a, b in zip(found[0].shape[1:], made.shape[1:], strict=True))) @ centre
        exact = warp_image(original, Chain((OWN @ down, bent(), up.inverse())), made.shape[1:])
        assert (np.abs(exact.astype(int) - made) <= 1).all()
    middle = lies.apply([[n / 2 for n in found[0].shape[1:]]])
    back = Chain((OWN, bent())).inverse().apply(middle)[0] - 0.5
    y, x = back
    expected = 120 + 100 * np.sin(y / 17) * np.cos(x / 23)
    pixel = found[0][0, found[0].shape[1] // 2, found[0].shape[2] // 2]
    assert abs(float(pixel) - expected) < 12


def test_labels_keep_their_ids_and_lie_where_their_points_go(session: Session) -> None:
    move(session, bent())
    document, whole = session.document, Chain((OWN, bent()))
    before, after = levels(document, "cells"), levels(document, "cells_warped")
    assert len(before) == len(after) == 2
    assert set(np.unique(after[0])) <= set(np.unique(before[0])) | {0}
    lies = document.affine("cells_warped")
    for cell in np.unique(before[0])[::17]:
        where = whole.apply(np.argwhere(before[0] == cell) + 0.5).mean(0)
        found = lies.apply(np.argwhere(after[0] == cell) + 0.5).mean(0)
        assert np.linalg.norm(where - found) < 0.4, "under half a pixel of 0.65 µm"
    document.grid("cells_warped").write((200, 200), np.full((3, 3), 5000, np.int32))
    assert (document.grid("cells_warped").read((200, 203, 200, 203)) == 5000).all()


def test_outlines_bend_and_keep_holes_parts_and_ids(session: Session) -> None:
    move(session, bent())
    before, after = session.document.element("lobes"), session.document.element("lobes_warped")
    assert list(after.index) == ["a7", "b9"]
    assert list(after["kind"]) == ["lobe", "two"]
    assert len(after.geometry["a7"].interiors) == 2
    assert len(after.geometry["b9"].geoms) == 2
    whole = Chain((OWN, bent()))
    line = shapely.segmentize(before.geometry["a7"].exterior, 0.5)
    dense = whole.apply(shapely.get_coordinates(line)[:, ::-1])[:, ::-1]
    drawn = after.geometry["a7"].exterior
    assert shapely.distance(shapely.points(dense), drawn).max() < 0.15, "the edge follows the bend"
    assert len(shapely.get_coordinates(drawn)) < 600, "and is cut no finer than it needs"


def test_circles_grow_as_the_tissue_around_them_does(session: Session) -> None:
    move(session, bent())
    before, after = session.document.element("spots"), session.document.element("spots_warped")
    whole = Chain((OWN, bent()))
    centres = shapely.get_coordinates(before.geometry.to_numpy())[:, ::-1]
    assert np.allclose(shapely.get_coordinates(after.geometry.to_numpy())[:, ::-1], whole.apply(centres), atol=0.05)
    growth = np.sqrt(np.abs(np.linalg.det(whole.jacobian(centres))))
    assert np.allclose(after["radius"], 4.0 * growth)


def test_points_are_moved_as_they_are_read(session: Session) -> None:
    move(session, bent())
    before, after = session.document.element("transcripts"), session.document.element("transcripts_warped")
    assert type(after).__name__ == "DataFrame" and hasattr(after, "dask")
    assert after.npartitions == before.npartitions
    raw, found = before.compute(), after.compute()
    assert list(found["gene"].astype(str)) == list(raw["gene"].astype(str))
    exact = Chain((OWN, bent())).apply(raw[["y", "x"]].to_numpy())
    assert np.abs(found[["y", "x"]].to_numpy() - exact).max() < 0.05
    assert session.document.affine("transcripts_warped").matrix == pytest.approx(np.eye(3))


def test_a_step_is_small_and_kill_save_and_reopening_lose_nothing(session: Session, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.save(tmp_path / "s.zarr")
        before = state_of(session)
        journal = tmp_path / "s.zarr" / "spatialml" / "journal.log"
        length = journal.stat().st_size
        move(session, bent())
        assert journal.stat().st_size - length < 200_000, "the field, and no pixel"
        shown = {n: levels(session.document, n) for n in ("plain_warped", "levels_warped", "cells_warped")}
        state = state_of(session)
        session.close()
        again = Session.open_store(tmp_path / "s.zarr")
        assert state_of(again) == state
        again.save()
        again.close()
        again = Session.open_store(tmp_path / "s.zarr")
        for name, expected in shown.items():
            for a, b in zip(levels(again.document, name), expected, strict=True):
                assert np.array_equal(a, b)
        again.undo()
        assert state_of(again) == before
        again.redo()
        assert again.document.fingerprint(("images", "levels_warped")) == state["images/levels_warped"]
        again.close()


def test_moving_again_replaces_the_copies_and_an_affine_takes_them_away(session: Session, tmp_path: Path) -> None:
    move(session, bent())
    first = levels(session.document, "plain_warped")[0]
    state = state_of(session)
    stiffer = Chain((bent(), Affine.rotation(5, (500.0, 500.0))))
    move(session, stiffer)
    assert levels(session.document, "plain_warped")[0].shape != first.shape
    move(session, Affine.rotation(5))
    assert "plain_warped" not in session.document.names("images")
    assert session.document.attribute("warped_from") is None
    session.undo()
    session.undo()
    assert state_of(session) == state
    assert np.array_equal(levels(session.document, "plain_warped")[0], first)


def test_plain_spatialdata_shows_the_copies(session: Session, tmp_path: Path) -> None:
    move(session, bent())
    shown = levels(session.document, "levels_warped")
    session.save(tmp_path / "s.zarr")
    told = """
import sys, warnings
warnings.simplefilter("ignore")
import spatialdata
sdata = spatialdata.read_zarr(sys.argv[1])
image = sdata["levels_warped"]
print([int(next(iter(image[s].values())).sum()) for s in image.children], len(sdata["transcripts_warped"]))
"""
    command = [sys.executable, "-c", told, str(tmp_path / "s.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == f"{[int(level.sum()) for level in shown]} 500"


def test_a_transform_that_tears_an_image_apart_is_refused_in_words(session: Session) -> None:
    source = np.array([[0.0, 0], [0, 100], [100, 0], [100, 100], [50, 50], [50.1, 50.1]])
    target = source.copy()
    target[5] += 3000
    with pytest.raises(BadInput, match="tears it apart"):
        warped_elements(session.document, NAMES, "moving", "global", ThinPlateSpline(source, target))


def test_one_pixel_and_no_shapes_are_no_trouble(session: Session) -> None:
    one = Image2DModel.parse(np.full((1, 1, 1), 9, np.uint8), dims=("c", "y", "x"))
    session.execute(Command("add", (Put(("images", "dot"), None, one),)))
    changes = warped_elements(session.document, ["dot"], "global", "there", bent())
    session.execute(Command("register", tuple(changes)))
    assert levels(session.document, "dot_warped")[0].max() == 9


def test_points_without_a_place_and_no_points_are_no_trouble(session: Session) -> None:
    for name, frame in {
        "none": pd.DataFrame({"x": np.empty(0), "y": np.empty(0)}),
        "some": pd.DataFrame({"x": [3, 4], "y": [5.0, np.nan]}),
    }.items():
        points = PointsModel.parse(dd.from_pandas(frame, npartitions=1), coordinates={"x": "x", "y": "y"}, sort=False)
        session.execute(Command("add", (Put(("points", name), None, points),)))
    session.execute(
        Command("register", tuple(warped_elements(session.document, ["none", "some"], "global", "there", bent())))
    )
    assert len(session.document.element("none_warped").compute()) == 0
    found = session.document.element("some_warped").compute()
    assert np.allclose(found[["y", "x"]].to_numpy()[0], bent().apply([[5.0, 3.0]]), atol=0.05)
    assert np.isnan(found["y"].to_numpy()[1])


def test_an_image_that_lies_flat_is_refused_in_words(session: Session) -> None:
    slot = ("transforms", "images", "plain", "moving")
    flat = [[0.5, 0, 0], [0, 0, 3], [0, 0, 1]]
    session.execute(Command("flatten", (Put(slot, session.document.get(slot), flat),)))
    with pytest.raises(BadInput, match="lies flat"):
        warped_elements(session.document, ["plain"], "moving", "global", bent())


def test_resampled_labels_follow_their_originals_into_the_store(session: Session, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        move(session, bent())
        session.save(tmp_path / "s.zarr")
        grid = session.document.grid("cells")
        old = grid.read((100, 140, 100, 140))
        session.execute(Command("paint", (EditLabels("cells", (100, 100), old, np.full((40, 40), 7777, np.int32)),)))
        shown = levels(session.document, "cells_warped")
        assert (shown[0] == 7777).sum() > 1000
        session.save()
        session.close()
        again = Session.open_store(tmp_path / "s.zarr")
        for a, b in zip(levels(again.document, "cells_warped"), shown, strict=True):
            assert np.array_equal(a, b)
        again.undo()
        again.undo()
        assert "cells_warped" not in again.document.names("labels")
        again.close()


def test_what_was_tried_out_is_not_compiled_again() -> None:
    """The window once stood still for 21 s after the first registration of a new installation."""
    from napari_spatialml.core.sampled_map_kernels import at_points, resample
    from napari_spatialml.core.warp import Resampler, try_out

    way, before = Chain((OWN, bent())), set(resample.signatures)
    kinds = (np.uint64, np.int64, np.uint32, np.int16, np.int8)
    kind = next(t for t in kinds if f"Array({np.dtype(t)}, 3" not in str(before))  # one that no other test has used
    try_out(way, kind, 1)
    tried = set(resample.signatures), set(at_points.signatures)
    assert len(tried[0]) == len(before) + 1
    picture = np.full((3, SIZE, SIZE), 7, kind)
    y, x = np.floor(way.apply([[SIZE / 2, SIZE / 2]])[0]).astype(int)
    shown = Resampler(way, picture).block((int(y), int(x)), (90, 50))
    assert (shown == 7).any()
    assert (set(resample.signatures), set(at_points.signatures)) == tried
