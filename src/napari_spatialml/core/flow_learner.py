"""A method that runs a flow network, and goes on training it with corrected windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .device import Device, choose
from .flow_input import Stain, limits_of, scaled
from .flow_models import ENDING, Model, find, models_folder
from .flow_segmenter import FlowSegmenter
from .flow_weights import metadata_of, read, write
from .learning import Learner, Lesson, diameter_um_of
from .report import Report, silent
from .segmentation import Pixels

__all__ = ["FlowLearner"]


class FlowLearner(FlowSegmenter, Learner):
    """Base class of methods whose parameters are, among others, weights, diameter, stain and device."""

    weights: str
    diameter_um: float
    device: Device

    @abstractmethod
    def seen(self, pixels: Pixels) -> tuple[npt.NDArray[Any], Stain]:
        """Return the channels that the network sees, one or three, and what they show."""

    def weights_file(self) -> Path:
        """Return the file of the weights.

        Raises
        ------
        MissingWeights
            When it is not there.
        """
        return find(self.weights)

    def lineage(self) -> dict[str, Any]:
        """Return what the weights were made of, as their file says; empty for those that come with the program."""
        path = self.weights_file()
        return Model(path, metadata_of(path)).lineage

    def told(self, lessons: Sequence[Lesson]) -> Self:
        """Return the method with the diameter of the nuclei in the lessons, unless one is given."""
        return self if self.diameter_um else self._with(diameter_um=diameter_um_of(lessons))

    def attempt(self, lesson: Lesson) -> npt.NDArray[np.int32]:
        """Segment the window of a lesson; the stain, the ground and the light are those of its image."""
        values, stain = self.seen(lesson.sample)
        field = self._with(stain=stain).field(lesson.pixels, limits=limits_of(values))
        return np.array(self.decode(field, lesson.pixels.pixel_size_um).labels)

    def learn(self, lessons: Sequence[Lesson], file: Path, seed: int, report: Report = silent) -> Self:
        """Go on training from the weights with the lessons, and write what was learned to a file.

        Raises
        ------
        MissingDependency, MissingWeights, BadInput
            As when the method is called; BadInput too when the lessons hold no nucleus.
        """
        from .flow_crops import example_of
        from .flow_inference import working_scale
        from .flow_training import fine_tune

        told = self.told(lessons)
        examples, nominal = [], 0.0
        for lesson in lessons:
            whole, stain = told.seen(lesson.sample)
            values = told._with(stain=stain).seen(lesson.pixels)[0]
            planes = scaled(values, limits_of(whole), stain != "fluorescence")
            diameter = told.diameter_um / lesson.pixels.pixel_size_um
            nominal = diameter * working_scale(diameter)
            examples.append(example_of(stain, planes, np.asarray(lesson.labels), diameter))
        parent = told.weights_file()
        weights, _ = fine_tune(parent, examples, nominal, seed, device=choose(self.device), report=report)
        kept = {key: value for key, value in metadata_of(parent).items() if key in ("network", "widths", "licence")}
        write(file, weights, {**kept, "diameter_um": f"{told.diameter_um:.4g}"})
        return told._with(weights=str(file))

    def keep(self, path: Path, about: dict[str, str]) -> Self:
        """Write the weights to a file, with what is said of them; its diameter is taken where none is given."""
        weights, metadata = read(self.weights_file())
        write(path, weights, {**metadata, **about})
        name = path.stem if path == models_folder() / f"{path.stem}{ENDING}" else str(path)
        return self._with(weights=name, diameter_um=0.0)

    def _with(self, **parameters: Any) -> Self:
        changed: Any = self  # a dataclass: every method is made one
        made: Self = replace(changed, **parameters)
        return made
