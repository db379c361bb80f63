"""The cells of a slide on the canvas while they are found, tile by tile, from the middle of the view outwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.transform import Affine
from ..session.slides.job import SlideJob
from .layers import UNITS
from .places import pixel_affine

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["Streaming"]


class Streaming:
    """A layer of labels that fills while a job runs. Whoever makes it keeps it, and closes it at the job's end.

    All its methods belong to the window's thread; the job's own thread only counts tiles here.

    Parameters
    ----------
    presenter
        What shows the document.
    job
        The job, not begun yet.
    """

    def __init__(self, presenter: Presenter, job: SlideJob) -> None:
        from napari.layers import Labels

        self._presenter, self._job, self._arrived, self._drawn = presenter, job, 0, 0
        y0, _, x0, _ = job.selection.region or (0, 0, 0, 0)  # type: ignore[union-attr]
        image, system = job.selection.image, presenter.state.coordinate_system  # type: ignore[union-attr]
        affine = np.array(pixel_affine(presenter.document, image, system)) @ Affine.translation(y0, x0).matrix
        levels: Any = list(job.show().levels)
        self._data = levels if len(levels) > 1 else levels[0]
        self.layer = Labels(
            self._data,
            multiscale=len(levels) > 1,
            name=f"{job.selection.output}, tile by tile",  # type: ignore[union-attr]
            affine=affine,
            units=UNITS,
            opacity=0.6,
        )
        self.layer.editable = False
        self._to_pixels = Affine(np.linalg.inv(affine))
        presenter.viewer.add_layer(self.layer)
        self.look()
        job.tile_done.connect(self._tile_done)

    @property
    def tiles(self) -> int:
        """How many tiles have arrived."""
        return self._arrived

    @property
    def drawn(self) -> int:
        """How many tiles were there when the layer was drawn last."""
        return self._drawn

    def _tile_done(self, _offset: tuple[int, int], _size: tuple[int, int]) -> None:
        self._arrived += 1

    def look(self) -> None:
        """Tell the job where the person looks: what is nearest there comes next."""
        centre = np.asarray(self._presenter.viewer.scene.camera.center, dtype=float)[-2:]
        y, x = self._to_pixels.apply(centre[None])[0]
        height, width = self._job.source.shape
        self._job.look_at(float(np.clip(y, 0, height)), float(np.clip(x, 0, width)))

    def refresh(self) -> None:
        """Draw what has arrived since the last time."""
        self.look()
        if self._arrived != self._drawn and self.layer in self._presenter.viewer.layers:
            self._drawn = self._arrived
            self.layer.data = self._data  # napari keeps the coarsest level until the data are set again
            self.layer.editable = False

    def close(self) -> None:
        """Take the layer away."""
        self._job.tile_done.disconnect(self._tile_done)
        if self.layer in self._presenter.viewer.layers:
            self._presenter.viewer.layers.remove(self.layer)
