"""``python -m training.export CHECKPOINT``: write a checkpoint's mean weights, in half precision, for the wheel."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from napari_spatialml.core.flow_weights import EMBEDDED, write

from .widen import widths_of


def export(checkpoint: Path, out: Path) -> None:
    """Write the running mean of a run's weights; what scales and shifts stays in single precision."""
    held = torch.load(checkpoint, weights_only=True)
    arrays = {name: tensor.numpy() for name, tensor in held["mean"].items() if not name.endswith("num_batches_tracked")}
    halved = {name: a.astype(np.float16) if a.ndim > 1 else a.astype(np.float32) for name, a in arrays.items()}
    metadata = {
        "network": "PackedFlowNetwork",
        "widths": ",".join(map(str, widths_of(held["mean"]))),
        "steps": str(held["step"]),
        "cpu_minutes": f"{held['cpu_s'] / 60:.0f}",
        "licence": "BSD-3-Clause; trained on images under CC0",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, halved, metadata)
    print(f"{out}: {out.stat().st_size / 2**20:.2f} MB, {metadata}")


def main() -> None:
    """Read the arguments and export."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=EMBEDDED)
    given = parser.parse_args()
    export(given.checkpoint, given.out)


if __name__ == "__main__":
    main()
