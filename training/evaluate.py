"""``python -m training.evaluate FOLDER``: precision on the held-out fold, and the thresholds that suit it.

Prints a table: the kinds of image, the ways to come by the diameter, and the average precision at three
thresholds. ``--fit`` tries the thresholds of decoding on the same fold.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from napari_spatialml.core.flow_diameter import estimate_diameter
from napari_spatialml.core.flow_inference import NOMINAL, apply, load
from napari_spatialml.core.flow_input import planes_of
from napari_spatialml.core.flow_weights import EMBEDDED
from napari_spatialml.core.flows import FlowField, decode
from napari_spatialml.core.metrics import average_precision

from .folder import STAINS, Picture, folds, pictures

AT = (0.5, 0.75, 0.9)
PROBABILITIES = (0.4, 0.5, 0.6)
ERRORS = (0.0, 0.4, 0.6, 0.8)
MIN_AREA = 24.0


def field_of(net: object, picture: Picture, how: str) -> FlowField:
    """Run the network on a picture; ``how`` is where the diameter comes from: true, auto or fixed."""
    stain = STAINS[picture.kind]
    planes = planes_of(picture.values, stain)
    if how == "true":
        diameter = picture.diameter
    else:
        diameter = estimate_diameter(net, planes, NOMINAL, "cpu") if how == "auto" else NOMINAL
    return apply(net, planes, diameter, stain=stain)


def precision(
    fields: list[FlowField], chosen: list[Picture], probability: float, error: float
) -> npt.NDArray[np.float64]:
    """Return the mean over the pictures of the average precision at `AT`."""
    found = [decode(field, probability, error, MIN_AREA).labels for field in fields]
    return np.mean([average_precision(p.labels, labels, AT) for p, labels in zip(chosen, found, strict=True)], axis=0)


def main() -> None:
    """Read the arguments and evaluate."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, default=EMBEDDED)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture of a kind")
    parser.add_argument("--how", nargs="+", default=["true", "auto", "fixed"])
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    read = pictures(given.folder)
    held = [p for p, f in zip(read, folds(read), strict=True) if f == given.fold]
    net = load(given.weights, given.weights.stat().st_mtime, "cpu")
    for kind in sorted({p.kind for p in held}):
        chosen = [p for p in held if p.kind == kind][:: given.every]
        for how in given.how:
            fields = [field_of(net, p, how) for p in chosen]
            if how == "auto":
                off = np.log2([f.diameter / p.diameter for f, p in zip(fields, chosen, strict=True)])
                print(f"  diameters within a third of an octave: {np.mean(np.abs(off) < 1 / 3):.2f}", np.round(off, 1))
            pairs = product(PROBABILITIES, ERRORS) if given.fit else [(0.5, 0.0), (0.5, 0.4), (0.5, 0.8)]
            for probability, error in pairs:
                reached = precision(fields, chosen, probability, error)
                print(
                    f"{kind:13} {len(chosen):3} {how:6} p>{probability} e<{error}  {np.round(reached, 3)}", flush=True
                )


if __name__ == "__main__":
    main()
