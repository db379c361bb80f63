"""What other programs make of the same two images; run by their own Python, see `images`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def measure(path: str) -> dict[str, list[list[float]]]:
    """Return for each program one row a pair: median error in % of the diagonal, and processor seconds.

    The file holds `pairs`, and for each pair i `fixed_i` and `moving_i` (y, x), `from_i` and `to_i` landmarks (k, 2),
    and `start_i` (3, 3), the affine map on (y, x) of the program that asks.
    """
    held = np.load(path)
    programs: dict[str, Callable[..., Any]] = {
        "SimpleITK, affine by mutual information": itk_affine,
        "scikit-image, SIFT and RANSAC": sift,
        "picsl-greedy, affine and deformable": greedy,
        "picsl-greedy, deformable behind our affine": greedy_behind,
    }
    found: dict[str, list[list[float]]] = {name: [] for name in programs}
    for i in range(int(held["pairs"])):
        fixed, moving, start = held[f"fixed_{i}"], held[f"moving_{i}"], held[f"start_{i}"]
        points, truth = held[f"from_{i}"], held[f"to_{i}"]
        diagonal = np.hypot(*fixed.shape)
        for name, program in programs.items():
            clock = time.process_time()
            back = program(fixed, moving, start)  # from fixed to moving pixels
            seconds = time.process_time() - clock
            error = np.nan if back is None else error_of(back, truth, points, start, diagonal)
            found[name].append([error, seconds])
    return found


def error_of(back: Callable[[Any], Any], truth: Any, points: Any, start: Any, diagonal: float) -> float:
    """Return the median distance on the fixed side: the moving one is carried over by the affine map's scale."""
    apart = (back(truth) - points) @ np.asarray(start)[:2, :2].T
    return float(100 * np.median(np.linalg.norm(apart, axis=1)) / diagonal)


def itk_affine(fixed: Any, moving: Any, start: Any) -> Any:
    """Register from the centres of the frames by Mattes' mutual information."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    f, m = (sitk.GetImageFromArray(image.astype(np.float32)) for image in (fixed, moving))
    first = sitk.CenteredTransformInitializer(
        f, m, sitk.AffineTransform(2), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(1.0, 200, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([8, 4, 2])
    method.SetSmoothingSigmasPerLevel([4, 2, 1])
    method.SetInitialTransform(first, inPlace=False)
    got = method.Execute(f, m)
    return lambda p: np.array([got.TransformPoint((float(x), float(y)))[::-1] for y, x in p])


def sift(fixed: Any, moving: Any, start: Any) -> Any:
    """Match SIFT descriptors, and keep what one affine map explains."""
    from skimage.feature import SIFT, match_descriptors
    from skimage.measure import ransac
    from skimage.transform import AffineTransform

    keys = []
    for image in (fixed, moving):
        one = SIFT()
        one.detect_and_extract(image)
        keys.append((one.keypoints[:, ::-1], one.descriptors))
    pairs = match_descriptors(keys[0][1], keys[1][1], max_ratio=0.8, cross_check=True)
    if len(pairs) < 4:
        return None
    got, _ = ransac((keys[0][0][pairs[:, 0]], keys[1][0][pairs[:, 1]]), AffineTransform, 3, 6, max_trials=2000, rng=0)
    return (lambda p: got(p[:, ::-1])[:, ::-1]) if got else None


def greedy(fixed: Any, moving: Any, start: Any) -> Any:
    """Register by greedy's own affine and then its deformable step, on local correlation."""
    return _greedy(fixed, moving, None)


def greedy_behind(fixed: Any, moving: Any, start: Any) -> Any:
    """Run greedy's deformable step from our affine map."""
    return _greedy(fixed, moving, start)


def _greedy(fixed: Any, moving: Any, start: Any) -> Any:
    import SimpleITK as sitk
    from picsl_greedy import Greedy2D
    from scipy.ndimage import map_coordinates

    f, m = (sitk.GetImageFromArray(image.astype(np.float32)) for image in (fixed, moving))
    one = Greedy2D()
    with tempfile.TemporaryDirectory() as folder:
        affine = f"{folder}/affine.mat"
        if start is None:
            one.execute(f"-i f m -a -ia-image-centers -m NCC 8x8 -n 100x50x20 -threads 1 -V 0 -o {affine}", f=f, m=m)
        else:
            np.savetxt(affine, _turned_about(_SWAP @ np.linalg.inv(start) @ _SWAP))
        matrix = _turned_about(np.loadtxt(affine))
        asked = f"-i f m -it {affine} -m NCC 8x8 -n 100x50x20 -s 3vox 1vox -threads 1 -V 0 -o warp"
        one.execute(asked, f=f, m=m, warp=None)
    warp = sitk.GetArrayFromImage(one["warp"])

    def back(p: Any) -> Any:
        d = np.stack([map_coordinates(warp[..., k], p.T, order=1, mode="nearest") for k in (0, 1)], 1)
        return ((p[:, ::-1] + d) @ matrix[:2, :2].T + matrix[:2, 2])[:, ::-1]

    return back


_SWAP = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])


def _turned_about(matrix: Any) -> Any:
    """Change between image coordinates and greedy's files, in which both axes point the other way."""
    flip = np.diag([-1.0, -1.0, 1.0])
    return flip @ matrix @ flip


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
