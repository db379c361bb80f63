"""Other programs move the same pixels and points; run by a Python that has them, one thread each.

``python warping_peer.py FILE.npz`` prints seconds and Mpx a second as JSON. Knows nothing of our package.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np


def cpu_seconds(action, times=3):
    """Return the fewest processor seconds of several times, the first not counted."""
    action()
    found = []
    for _ in range(times):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def simple_itk(held):
    """Resample by a displacement field of one node every eighth pixel, which SimpleITK interpolates linearly."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    edge, pixel = int(held["edge"]), float(held["pixel_um"])
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (edge, edge)).astype(np.uint8))
    image.SetSpacing([pixel, pixel])
    field = sitk.GetImageFromArray(np.ascontiguousarray(held["moved"][..., ::-1].astype(np.float64)), isVector=True)
    field.SetSpacing([float(held["spacing"])] * 2)
    field.SetOrigin(held["origin"][::-1].tolist())
    transform = sitk.DisplacementFieldTransform(field)
    took = cpu_seconds(lambda: sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0))
    return {"mpx": edge**2 / took / 1e6}


def scikit_image(held):
    """Resample and move points by scikit-image's thin-plate spline."""
    from skimage.transform import ThinPlateSplineTransform, warp

    edge, pixel = int(held["edge"]), float(held["pixel_um"])
    image = np.random.default_rng(0).integers(0, 255, (edge, edge)).astype(np.uint8)
    source, target = held["source"][:, ::-1] / pixel, held["target"][:, ::-1] / pixel
    back, there = ThinPlateSplineTransform(), ThinPlateSplineTransform()
    back.estimate(target, source)
    there.estimate(source, target)
    took = cpu_seconds(lambda: warp(image, back, order=1, preserve_range=True), times=1)
    points = np.random.default_rng(0).uniform(0, edge, (100_000, 2))
    return {"mpx": edge**2 / took / 1e6, "points": 10 * cpu_seconds(lambda: there(points), times=1)}


def main():
    """Measure what is installed."""
    held = np.load(sys.argv[1])
    found = {}
    for name, action in (("SimpleITK", simple_itk), ("scikit-image", scikit_image)):
        try:
            found[name] = action(held)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
