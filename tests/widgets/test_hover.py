"""What lies under the mouse is said beside it, and goes when the mouse does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_spatialml.views import ColourBy
from napari_spatialml.widgets.hover import Hover


def test_the_spot_under_the_mouse_is_named(desk, show, qtbot):
    canvas = show(QWidget())
    hover = Hover(desk, canvas)
    table = desk.session.document.table("spot_counts")
    desk.presenter.show(colours={"spots": ColourBy("spot_counts", f"X/{table.var_names[0]}")})
    spots = desk.session.document.element("spots")
    row = int(np.flatnonzero(desk.session.document.instances("spot_counts") == spots.index[3])[0])
    where = spots.geometry.iloc[3]
    at = SimpleNamespace(position=desk.session.document.affine("spots").apply(np.array([[where.y, where.x]]))[0])
    for callback in desk.viewer.mouse_move_callbacks:
        if callback.__module__.endswith("hover"):
            callback(desk.viewer, at)
    wanted = f"spot {spots.index[3]}\n{table.var_names[0]}: {table.X[row, 0]:.4g}"
    qtbot.waitUntil(lambda: hover.text() == wanted, timeout=5000)
    assert hover.isVisible()
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert not hover.isVisible()
    hover.look()  # the mouse is elsewhere
    assert not hover.isVisible()
