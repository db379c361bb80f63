"""The tools that take many cells or preview, on labels of which only what is in view is in memory."""

from __future__ import annotations

import numpy as np

from napari_spatialml.views.hand import Pace

from .conftest import Mouse
from .test_large import MIDDLE, agrees, big, look_at, slide, store, um, written  # noqa: F401


def near(presenter, reach=300):
    grid = presenter.document.grid("cells")
    return grid.read((MIDDLE - reach, MIDDLE + reach, MIDDLE - reach, MIDDLE + reach))


def ring(reach):
    return [um(MIDDLE + reach * a, MIDDLE + reach * b) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1), (-0.9, -1))]


def test_a_lasso_deletes_what_it_holds_of_a_large_slide_and_shows_it(big):  # noqa: F811
    mouse, session = Mouse(big.viewer), big.session
    big.use("delete", labels="cells")
    before = near(big)
    inner = before[60:-60, 60:-60]
    whole = [c for c in np.unique(inner[inner > 0]) if (inner == c).sum() == (before == c).sum()]
    assert len(whole) > 3
    mouse.drag(*ring(240))
    assert session.position == 1 and session.history[0].label.startswith("delete ")
    after = near(big)
    assert not np.isin(after, whole).any()
    gone = np.setdiff1d(before, after)
    shares = [((inner == c).sum() / (before == c).sum()) for c in gone if c]
    assert min(shares) > 0.4, "of a cell at the rim, the centroid or half of the area lies inside"
    agrees(big)
    big.undo()
    assert np.array_equal(near(big), before)
    agrees(big)


def test_a_split_is_previewed_in_the_window_and_grown_cells_reach_every_level(big):  # noqa: F811
    mouse, session = Mouse(big.viewer), big.session
    look_at(big, MIDDLE, MIDDLE, 300)
    seen = near(big, 100)
    cell = next(c for c in np.unique(seen[10:-10, 10:-10]) if c and not (
        np.isin(c, seen[0]) or np.isin(c, seen[-1]) or np.isin(c, seen[:, 0]) or np.isin(c, seen[:, -1])))  # fmt: skip
    at = np.argwhere(seen == cell) + MIDDLE - 100
    y, x = at.mean(0)
    big.use("split", labels="cells")
    big.current.pace = Pace(0.0)
    line = [um(v, x) for v in np.linspace(at[:, 0].min() - 3, at[:, 0].max() + 3, 6)]
    mouse.press(line[0])
    mouse.move(*line[1:])
    assert session.position == 0
    assert len(np.unique(big.marks._layer.edge_color, axis=0)) == 3, "the line and the two parts"
    mouse.release(line[-1])
    assert session.history[0].label == f"split cell {cell} in cells"
    agrees(big)
    big.use("grow", labels="cells", by_um=1.0)
    mouse.click(um(y, at[:, 1].min() + 1))
    assert session.position == 2 and session.history[1].label.startswith("grow cell")
    agrees(big)
    grid = big.document.grid("cells")
    from napari_spatialml.core.pyramid import downsample

    for level, (f, _) in enumerate(grid.factors):
        a, b = (MIDDLE - 104) // 8 * 8, (MIDDLE + 104) // 8 * 8
        window = (a // f, b // f, a // f, b // f)
        assert np.array_equal(grid.read(window, level), downsample(grid.read((a, b, a, b)), f))


def test_zoomed_out_too_far_a_lasso_says_how_to_go_on(big):  # noqa: F811
    mouse = Mouse(big.viewer)
    look_at(big, MIDDLE, MIDDLE, 9000)
    big.use("delete", labels="cells")
    mouse.drag(*ring(3000))
    assert big.session.position == 0
    assert any("Zoom in" in sentence for _, sentence in big.said)
