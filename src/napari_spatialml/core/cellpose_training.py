"""Fine-tuning Cellpose by its own training, and what is kept beside the weights that it saves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from . import cellpose_weights as weights_of
from .flow_models import LINEAGE, models_folder
from .report import Report, silent

__all__ = ["RECIPES", "fine_tune", "keep", "lineage_of", "offered"]

RECIPES: dict[int, dict[str, Any]] = {
    3: {"learning_rate": 0.1, "weight_decay": 1e-4, "n_epochs": 100, "SGD": True, "batch_size": 8},
    4: {"learning_rate": 1e-5, "weight_decay": 0.1, "n_epochs": 100, "batch_size": 1},
}
"""What Cellpose's own window trains with, by version."""
_IMAGES = 8  # an epoch, at least

Image = npt.NDArray[np.float32]


def fine_tune(
    weights: Path,
    images: Sequence[Image],
    labels: Sequence[npt.NDArray[Any]],
    file: Path,
    seed: int = 0,
    *,
    device: str = "cpu",
    report: Report = silent,
    **other: Any,
) -> None:
    """Let Cellpose go on training from weights, and save what it learned.

    Parameters
    ----------
    weights
        A file of the installed version.
    images
        Each (y, x, c), scaled as it will be when the network runs; 2 channels for Cellpose 3, 3 for 4.
    labels
        Each (y, x); 0 is background.
    file
        Where Cellpose's own file goes.
    seed
        Of torch; the crops are drawn by Cellpose, from the number of the epoch.
    other
        Replaces parts of the recipe: see `RECIPES`.
    """
    import torch
    from cellpose import train
    from cellpose.models import CellposeModel

    with weights_of.unpickling_forbidden():
        model = CellposeModel(gpu=device != "cpu", pretrained_model=str(weights), device=torch.device(device))
    recipe = {**RECIPES[weights_of.version()], **other}
    recipe["nimg_per_epoch"] = max(_IMAGES, len(images))
    recipe = {name: value for name, value in recipe.items() if name in signature(train.train_seg).parameters}
    hook = model.net.register_forward_hook(_Progress(report, recipe["n_epochs"] * recipe["nimg_per_epoch"]))
    kept: Any = np.random.get_state()  # Cellpose seeds the generator of the whole process
    try:
        with TemporaryDirectory(dir=file.parent) as folder, torch.random.fork_rng():
            torch.manual_seed(seed)
            train.train_seg(
                model.net,
                # copies: Cellpose numbers the cells anew in place
                train_data=[np.ascontiguousarray(np.moveaxis(image, -1, 0)) for image in images],
                train_labels=[np.array(one, dtype=np.int32) for one in labels],
                normalize={"normalize": False},
                min_train_masks=1,
                save_path=folder,
                model_name=file.name,
                **recipe,
            )
            os.replace(Path(folder) / "models" / file.name, file)
    finally:
        hook.remove()
        np.random.set_state(kept)


class _Progress:
    """Reports each batch that goes through the network, which is also where Stop is heard."""

    def __init__(self, report: Report, images: int) -> None:
        self.report, self.images, self.seen = report, images, 0

    def __call__(self, net: Any, inputs: Any, outputs: Any) -> None:
        self.seen += len(inputs[0])
        self.report(min(self.seen / self.images, 1.0), f"image {self.seen} of {self.images}")


def keep(file: Path, path: Path, about: dict[str, str]) -> None:
    """Copy a file of weights, and write what is said of it beside: Cellpose's format has no place for it."""
    if file != path:
        shutil.copyfile(file, path)
    _beside(path).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def lineage_of(path: Path) -> dict[str, Any]:
    """Return what is said beside a file of weights of how it was made; empty where nothing is."""
    try:
        found = json.loads(json.loads(_beside(path).read_text(encoding="utf-8"))[LINEAGE])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # a published model, or a file of somebody else
    return found if isinstance(found, dict) else {}


def offered() -> tuple[tuple[str, str], ...]:
    """Return the models that a form offers: the published one, and those that were learned from corrections."""
    mine = [p.with_suffix("") for p in sorted(models_folder().glob("*.json"), reverse=True)]
    titles = [(str(p), str(lineage_of(p).get("title", ""))[:60]) for p in mine if p.is_file()]
    return (("", "as published"), *((path, f"mine: {title}") for path, title in titles if title))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
