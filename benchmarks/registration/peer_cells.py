"""The peers, in their own environment: POT's fused Gromov-Wasserstein and SimpleITK on density images.

``python peer_cells.py FILE.npz`` reads ``fixed``, ``moving`` (n, 2), ``fixed_kinds``, ``moving_kinds``, ``exact`` and
``truth``, and prints by peer its seconds and its median error in µm as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np


def rigid(source: Any, target: Any, weight: Any) -> tuple[Any, Any]:
    """Return the best turn (mirrored or not) and shift."""
    w = weight / weight.sum()
    a, b = w @ source, w @ target
    left, _, right = np.linalg.svd((target - b).T @ ((source - a) * w[:, None]))
    turn = left @ right
    return turn, b - turn @ a


def transport(held: Any) -> Any:
    """Return where POT puts the cells: FGW of types and distances, then the movement nearest to its plan."""
    import ot

    fixed, moving = held["fixed"], held["moving"]
    cost = (held["moving_kinds"][:, None] != held["fixed_kinds"][None]).astype(float)
    distances = [ot.dist(p, p, metric="euclidean") for p in (moving, fixed)]
    top = max(d.max() for d in distances)
    plan = ot.gromov.fused_gromov_wasserstein(
        cost, distances[0] / top, distances[1] / top, loss_fun="square_loss", alpha=0.9
    )
    target = plan @ fixed / np.maximum(plan.sum(1), 1e-300)[:, None]
    turn, shift = rigid(moving, target, plan.sum(1))
    return held["exact"] @ turn.T + shift


def densities(held: Any) -> Any:
    """Return where SimpleITK puts the cells: density images, centred, rigid, mutual information on a pyramid."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    pixel = 20.0

    def image(where: Any) -> Any:
        low = where.min(0) - 10 * pixel
        shape = np.ceil((where.max(0) - low) / pixel).astype(int) + 10
        counts = np.histogram2d(*((where - low) / pixel).T, bins=shape, range=[[0, shape[0]], [0, shape[1]]])[0]
        made = sitk.DiscreteGaussian(sitk.GetImageFromArray(counts.astype(np.float32)), 1.0)
        made.SetSpacing((pixel, pixel))
        made.SetOrigin(tuple(float(v) for v in (low + pixel / 2)[::-1]))
        return made

    fixed, moving = image(held["fixed"]), image(held["moving"])
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler2DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(1.0, 200, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4, 2, 0])
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(fixed, moving).GetInverse()
    return np.array([found.TransformPoint(tuple(p[::-1].tolist()))[::-1] for p in held["exact"]])


def main() -> None:
    """Run every peer that is there."""
    held = dict(np.load(sys.argv[1]))
    told = {}
    for name, peer in (("POT, fused Gromov-Wasserstein", transport), ("SimpleITK on density images", densities)):
        start = time.process_time()
        where = peer(held)
        error = float(np.median(np.linalg.norm(where - held["truth"], axis=1)))
        told[name] = {"seconds": time.process_time() - start, "error": error}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
