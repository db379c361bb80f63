"""What is drawn of transcripts is what is stored, in its place, and the legend says how much of it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from spatialdata import SpatialData
from spatialdata.models import PointsModel
from spatialdata.transformations import Identity

from napari_spatialml.core.symbols import SYMBOLS, drawn_points, stamp
from napari_spatialml.core.transform import Affine
from napari_spatialml.errors import BadInput
from napari_spatialml.session import Session
from napari_spatialml.session.document import Document
from napari_spatialml.session.transcripts import index_of
from napari_spatialml.views import Presenter
from napari_spatialml.views.state import ViewState
from napari_spatialml.views.transcript_looks import GeneLook, Picture, TranscriptLook, View
from napari_spatialml.views.transcript_picture import picture_of
from napari_spatialml.views.transcripts import said_of, sitter_of, transcript_legend, transcript_spec, view_of

warnings.simplefilter("ignore")
REAL = Path(__file__).parents[3] / "shared" / "data" / "transcripts_xenium"
A, B = GeneLook("a", "#ff0000", "disc"), GeneLook("b", "#0000ff", "square")


def document_of(frame: pd.DataFrame) -> Document:
    axes = {axis: axis for axis in ("x", "y", "z") if axis in frame}
    placed = {"global": Identity()}
    points = PointsModel.parse(frame, coordinates=axes, feature_key="gene", transformations=placed)
    return Document(SpatialData(points={"rna": points}))


@pytest.fixture(scope="module")
def document() -> Document:
    """Return 3,000 transcripts: of a on the left, of b on the right, of c everywhere."""
    rng = np.random.default_rng(0)
    genes = np.repeat(["a", "b", "c"], 1000)
    x = np.where(genes == "a", rng.uniform(0, 100, 3000), rng.uniform(100, 200, 3000))
    x[2000:] = rng.uniform(0, 200, 1000)
    frame = pd.DataFrame({"x": x, "y": rng.uniform(0, 100, 3000), "z": rng.uniform(0, 9, 3000), "gene": genes})
    frame["qv"] = rng.uniform(0, 40, 3000).astype(np.float32)
    return document_of(frame.astype({"gene": "category"}))


def drawn(document: Document, look: TranscriptLook, view: View | None = None) -> Picture:
    return picture_of(sitter_of(document, index_of(document, "rna"), "rna", "global"), look, view)


def near(y: float, x: float, zoom: float = 4.0, size: tuple[int, int] = (200, 300)) -> View:
    h, w = (n / 2 / zoom for n in size)
    return View((y - h, y + h, x - w, x + w), 1 / zoom)


def test_every_point_in_view_is_drawn_where_it_lies_in_its_colour(document):
    view = near(50, 100)
    picture = drawn(document, TranscriptLook((A, B)), view)
    assert picture.of_points and picture.drawn == picture.in_view == sum(picture.counts.values())
    frame = document.element("rna").compute()
    own = Affine(np.array(picture.matrix)).inverse()
    for gene, channel in (("a", 0), ("b", 2)):
        part = frame[frame["gene"] == gene]
        part = part[part["y"].between(*view.box[:2]) & part["x"].between(*view.box[2:])]
        assert picture.counts[gene] == len(part) > 50
        at = np.round(own.apply(part[["y", "x"]].to_numpy())).astype(int)
        pixels = picture.rgba[tuple(at.T)]
        assert (pixels[:, 3] == 255).all(), "a point is not there"
        assert (pixels[:, channel] > 0).mean() > 0.9, "most lie on top of their own place, in their own colour"
    assert not picture.rgba[..., 1].any(), "no gene is green"


def test_too_many_points_become_a_density_that_counts_each(document):
    picture = drawn(document, TranscriptLook(most=100))
    assert not picture.of_points and picture.in_view == 3000 and picture.exact and picture.drawn == 0
    assert said_of(picture) == f"3,000 in view, bins of {picture.edge_um:g} µm"
    assert drawn(document, TranscriptLook(draw="density"), near(50, 100)).edge_um == 0.5


def test_a_cap_is_said_and_kept(document):
    picture = drawn(document, TranscriptLook(most=100, draw="points"))
    assert picture.of_points and (picture.drawn, picture.in_view) == (100, 3000)
    assert said_of(picture) == "100 of 3,000 in view drawn"
    assert said_of(replace(picture, drawn=2_000_000, in_view=6_100_000)) == "2.0 M of 6.1 M in view drawn"


def test_genes_that_are_nowhere_or_unticked_or_absent_draw_nothing(document):
    absent = GeneLook("of another panel", "#00ff00", "disc")
    assert drawn(document, TranscriptLook((absent,))).counts == {"of another panel": 0}
    picture = drawn(document, TranscriptLook((replace(A, shown=False), absent, B)))
    assert picture.counts == {"of another panel": 0, "b": 1000}
    nothing = drawn(document, TranscriptLook((replace(A, shown=False),)))
    assert nothing.in_view == 0 and not nothing.rgba.any() and said_of(nothing) == "none in view"
    assert not drawn(document, TranscriptLook((A,)), near(1e4, 1e4)).rgba.any()


def test_quality_and_height_leave_out_what_they_say(document):
    frame = document.element("rna").compute()
    look = TranscriptLook((A, B), quality=20.0, z=(2.0, 5.0))
    kept = frame[(frame["qv"] >= 20) & (frame["z"] >= 2) & (frame["z"] < 5)]
    assert drawn(document, look).counts == {g: int((kept["gene"] == g).sum()) for g in "ab"}
    every = drawn(document, replace(look, genes=(), draw="density"))
    assert every.in_view == len(kept)


def test_the_view_in_a_turned_system_counts_the_same_points(document):
    index = index_of(document, "rna")
    sitter = replace(
        sitter_of(document, index, "rna", "global"), to_um=Affine(np.array([[0, -2.0, 9], [2.0, 0, 1], [0, 0, 1]]))
    )
    for look in (TranscriptLook(), TranscriptLook(draw="density"), TranscriptLook((A, B), draw="density")):
        picture = picture_of(sitter, look, None)
        assert picture.in_view == (2000 if look.genes else 3000)
        assert picture.rgba.any() and picture.reach[0] < -380


def test_the_legend_and_the_layer_are_those_of_the_last_picture(document):
    picture = drawn(document, TranscriptLook((A, B)))
    state = ViewState(pictures={"rna": picture})
    legend = transcript_legend(document, state, "rna")
    assert legend.title == "all 2,000 in view drawn"
    assert [(n, c, k) for n, c, k in legend.categories] == [("● a", "#ff0000", 1000), ("■ b", "#0000ff", 1000)]
    spec = transcript_spec(document, state, "rna", beside=False, offset=(0.0, 0.0))
    assert spec.rgb and spec.make() is picture.rgba
    assert (
        transcript_spec(document, replace(state, coordinate_system="msi"), "rna", beside=False, offset=(0, 0)) is None
    )
    document.put(("transforms", "points", "rna", "global"), np.eye(3).tolist())
    assert transcript_spec(document, state, "rna", beside=False, offset=(0.0, 0.0)) is not None
    one = drawn(document, TranscriptLook((A,), quality=10.0, draw="density"))
    legend = transcript_legend(document, ViewState(pictures={"rna": one}), "rna")
    assert legend.kind == "continuous" and legend.title.startswith("a: ") and legend.note == "quality ≥ 10"


def test_fit_shows_all_transcripts_and_not_only_those_of_the_last_view(document, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path))
    session = Session.start(document.sdata)
    presenter = Presenter(ViewerModel(), session)
    presenter.show(pictures={"rna": drawn(session.document, TranscriptLook((A,)), near(20, 20, 20.0))})
    presenter.fit()
    box = view_of(presenter.viewer).box
    assert box[0] <= 0 and box[1] >= 100 and box[2] <= 0 and box[3] >= 200
    presenter.close()
    session.close()


def test_more_genes_have_other_colours_and_symbols():
    look = TranscriptLook()
    for name in "abcdefgh":
        look = look.with_gene(name)
    assert len({g.colour for g in look.genes}) == len({g.symbol for g in look.genes}) == len(SYMBOLS) == 8
    assert look.with_gene("a") == look
    freed = look.without_gene("c").with_gene("new")
    assert freed.genes[-1].symbol == look.genes[2].symbol, "what became free is used again"


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_is_drawn_around_its_point_and_is_no_larger_than_it_says(symbol):
    cover = stamp(symbol, 11.0)
    assert cover.shape == (11, 11) and cover.min() >= 0 and cover.max() == 1
    assert np.allclose(cover, cover[:, ::-1], atol=0.02), "left and right are alike"
    picture = drawn_points(np.array([[20.0, 30.0]]), np.zeros(1), [symbol], np.array([[1.0, 0.5, 0.0]]), 11.0, (40, 50))
    y, x = np.nonzero(picture[..., 3])
    assert (y.min() + y.max()) / 2 == pytest.approx(20, abs=1.5) and (x.min() + x.max()) / 2 == pytest.approx(
        30, abs=0.5
    )
    assert tuple(picture[picture[..., 3] == 255][0][:3]) == (255, 128, 0)
    edge = drawn_points(np.array([[-3.0, 49.0], [60.0, 0.0]]), np.zeros(2), [symbol], np.ones((1, 3)), 11.0, (40, 50))
    assert edge.shape == (40, 50, 4), "points beyond the rim are cut off"


def test_a_symbol_that_there_is_not_is_told_in_words():
    with pytest.raises(BadInput, match="no symbol 'heart'"):
        stamp("heart", 5.0)
    with pytest.raises(BadInput, match="0 pixels"):
        stamp("disc", 0.0)


@pytest.fixture(scope="module")
def real() -> Any:
    """Return 213,191 transcripts of a Xenium section, lazily."""
    if not REAL.exists():
        pytest.skip(f"the real transcripts are not at {REAL}")
    import dask.dataframe as dd

    frame = dd.read_parquet(REAL)
    placed = {"global": Identity()}
    points = PointsModel.parse(
        frame, coordinates={a: a for a in "xyz"}, feature_key="feature_name", transformations=placed
    )
    return Document(SpatialData(points={"rna": points}))


def test_windows_of_a_real_section_hold_what_its_table_holds(real):
    frame = real.element("rna").compute()
    index = index_of(real, "rna")
    assert index.total == index.placed == len(frame) == 213_191
    rng = np.random.default_rng(0)
    low, high = frame[["y", "x"]].min().to_numpy(float), frame[["y", "x"]].max().to_numpy(float)
    often = frame["feature_name"].value_counts().index[[0, 40, 200]].astype(str)
    look = TranscriptLook()
    for gene in often:
        look = look.with_gene(gene)
    for _ in range(6):
        y, x = rng.uniform(low, high)
        view = near(float(y), float(x), float(rng.uniform(0.3, 8)), (600, 800))
        rows = frame[frame["y"].ge(view.box[0]) & frame["y"].lt(view.box[1])]
        rows = rows[rows["x"].ge(view.box[2]) & rows["x"].lt(view.box[3])]
        picture = drawn(real, look, view)
        assert picture.counts == {g: int((rows["feature_name"] == g).sum()) for g in often}
        assert drawn(real, TranscriptLook(), view).in_view == len(rows)


def test_transcripts_without_a_place_are_left_out_of_the_density_and_stop_nothing():
    from napari_spatialml.views.density import counts_of, density_spec
    from napari_spatialml.views.memory import Memory

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(0, 100, (1000, 2)), columns=["x", "y"])
    frame["gene"] = "A"
    frame.loc[frame["x"] <= 10.0, "x"] = np.nan
    placed = int((frame["x"] > 10.0).sum())
    assert 0 < placed < 1000
    found = density_spec(document_of(frame), "rna", "global", Memory(), beside=False, offset=(0, 0))
    assert found is not None and np.nansum(counts_of(found[0])) == placed
