"""Landmarks by hand: the default fit, suggested landmarks, suspects, expected errors, and the time they take.

Beside it in the same run scikit-image's similarity, which is affinder's fit, and its interpolating thin-plate
spline, which is BigWarp's, on the same landmarks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from napari_spatialml.core.landmark_advice import expected_error, next_landmark, structure_of
from napari_spatialml.core.landmarks import fit_affine, fit_default, judge, leave_one_out, residuals, suspects

from ..figures import Figure
from .landmark_truths import DATA, KINDS, Array, kidney, map_of, tissue

__all__ = ["measure"]

SEED = 0
THIRDS, DRAWS, SUBSETS, SECTIONS, TRIALS = 60, 10, 8, 12, 200
MEDIAN_PX, NINTH_PX, WORSE, TIME_MS, FLAGGED = 5.5, 8.0, 1.05, 16.0, 0.95
COUNTS = (4, 5, 6, 8, 12, 20, 40, 60)
SIMILARITY, SPLINE = "affinder's fit (scikit-image similarity)", "scikit-image's interpolating spline"
_MODELS: tuple[tuple[Any, float | None], ...] = (
    ("similarity", None),
    ("affine", None),
    ("spline", 0.0),
    ("spline", None),
)


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the figures of the kidney pair, where it is there, and of simulated sections."""
    if DATA.is_dir():
        yield from _suggested()
        yield from _held_out()
        yield from _default("kidney pair", _kidney_sets())
        yield from _misclicks("30 px among ten of the kidney pair", _kidney_ten, 30.0, FLAGGED)
        yield from _calibration("kidney pair", _kidney_error)
    for kind in KINDS:
        yield from _default(f"simulated, {kind}", _simulated_sets(kind))
    for kind, size, floor in (("affine", 5, None), ("affine", 8, FLAGGED), ("smooth", 20, None), ("sharp", 20, None)):
        yield from _misclicks(f"{size} slips among ten, {kind}", _ten(kind), float(size), floor)
    for kind in KINDS:
        yield from _calibration(f"simulated, {kind}", lambda rng, kind=kind: _section_error(rng, kind))
    yield from _suggested_simulated()
    yield from _times()


def _suggested() -> Iterator[tuple[str, Figure]]:
    """Yield the error of four suggested landmarks on the third that was held out, beside those at random.

    The floor (a median error of 5.5 px and a 90th percentile of 8; four at random: 8.4 and 16.9) can be read in two
    ways. With one error of each third, its median, and percentiles over thirds: then it is what eight at random reach,
    and the trial that set it found four suggested as good as eight at random; three at random under an affine fit have
    a 90th percentile of 48 px, the trial's was 46; four at random have 7.7 and 14.3, which change by 0.5 and 2 with
    another draw of 60 and by as much with the model. With percentiles of single errors: then eight at random have
    12.6, and not even all 46 landmarks reach 8. So the floor is held against the thirds' median errors; the
    percentile of single errors is told beside it, with that of all 46.
    """
    rows = [_third(np.random.default_rng(seed)) for seed in range(THIRDS)]
    held = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    data = f"kidney pair, the held-out third, {THIRDS} thirds, {DRAWS} draws at random of each"
    whats: dict[str, tuple[float | None, Callable[[Array], Any]]] = {
        "median of thirds' median errors": (MEDIAN_PX, lambda miss: np.median(np.median(miss, axis=1))),
        "90th percentile of thirds' median errors": (NINTH_PX, lambda miss: np.percentile(np.median(miss, axis=1), 90)),
        "90th percentile of single errors": (None, lambda miss: np.percentile(miss, 90)),
    }
    for what, (floor, of) in whats.items():
        peer = {"peer": SIMILARITY, "peer_value": float(of(held[SIMILARITY]))}
        value = float(of(held["four suggested"]))
        yield f"four suggested, {what}", Figure(value, "px", floor, data=data, seed=SEED, **peer)
        for name in (n for n in held if n not in ("four suggested", SIMILARITY)):
            yield f"{name}, {what}", Figure(float(of(held[name])), "px", data=data, seed=SEED)


@cache
def _kidney_places() -> tuple[Array, Array]:
    from skimage.io import imread

    return structure_of(np.moveaxis(imread(DATA / "Rat-Kidney_HE.jpg"), 2, 0), 1.0)


def _third(rng: np.random.Generator) -> dict[str, Array]:
    """Return the (draws, 23) errors of a third of the landmarks, fitted to some of the others."""
    fixed, moving = kidney()
    places, structure = _kidney_places()
    order = rng.permutation(69)
    train, test = order[:46], order[46:]
    chosen: list[int] = []
    for _ in range(4):
        wanted = places[next_landmark(fixed[chosen], moving[chosen], places, structure)]
        free = [k for k in train if k not in chosen]
        chosen.append(free[int(np.argmin(np.linalg.norm(fixed[free] - wanted, axis=1)))])
    drawn = [rng.permutation(train) for _ in range(DRAWS)]
    fits: dict[str, list[Callable[[Array], Array]]] = {
        "four suggested": [fit_default(moving[chosen], fixed[chosen]).apply],
        "four suggested, affine": [fit_affine(moving[chosen], fixed[chosen]).apply],
        "three at random, affine": [fit_affine(moving[rows[:3]], fixed[rows[:3]]).apply for rows in drawn],
        "four at random": [fit_default(moving[rows[:4]], fixed[rows[:4]]).apply for rows in drawn],
        "eight at random": [fit_default(moving[rows[:8]], fixed[rows[:8]]).apply for rows in drawn],
        "all 46": [fit_default(moving[train], fixed[train]).apply],
        "all 46, affine": [fit_affine(moving[train], fixed[train]).apply],
        **{name: [fit] for name, fit in _peers(moving[chosen], fixed[chosen]).items()},
    }
    return {
        name: np.array([np.linalg.norm(fit(moving[test]) - fixed[test], axis=1) for fit in of])
        for name, of in fits.items()
    }


def _suggested_simulated() -> Iterator[tuple[str, Figure]]:
    """Yield the error of suggested landmarks as a share of that of random ones."""
    for k in (4, 8, 16):
        ratios = []
        for seed in range(SECTIONS):
            for kind in KINDS:
                rng = np.random.default_rng([seed, k])
                ground, places, apply = tissue(rng, 300), tissue(rng, 150), map_of(rng, kind)
                moved = apply(places) + rng.normal(0, 10, places.shape)
                chosen: list[int] = []
                for _ in range(k):
                    chosen.append(next_landmark(places[chosen], moved[chosen], places))
                pair = [
                    residuals(fit_default(moved[rows], places[rows]), apply(ground), ground).mean()
                    for rows in (chosen, list(range(k)))
                ]
                ratios.append(np.log(pair[0] / pair[1]))
        data = f"simulated, all kinds, {len(ratios)} sections"
        yield f"{k} suggested over {k} at random", Figure(float(np.exp(np.mean(ratios))), "times", data=data, seed=SEED)


def _held_out() -> Iterator[tuple[str, Figure]]:
    fixed, moving = kidney()
    ours, theirs = [], []
    for seed in range(THIRDS):
        order = np.random.default_rng(seed).permutation(len(fixed))
        train, test = order[:20], order[20:]
        ours.append(np.median(residuals(fit_default(moving[train], fixed[train]), moving[test], fixed[test])))
        spline = _peers(moving[train], fixed[train])[SPLINE]
        theirs.append(np.median(np.linalg.norm(spline(moving[test]) - fixed[test], axis=1)))
    data = f"kidney pair, fitted to 20 at random, {THIRDS} draws"
    peer = {"peer": SPLINE, "peer_value": float(np.mean(theirs))}
    yield "default fit, median error on the others", Figure(float(np.mean(ours)), "px", data=data, seed=SEED, **peer)


def _peers(moving: Array, fixed: Array) -> dict[str, Callable[[Array], Array]]:
    """Return what others fit to the same landmarks; (y, x) as we have it, since neither minds."""
    from skimage.transform import SimilarityTransform, ThinPlateSplineTransform

    return {
        SIMILARITY: SimilarityTransform.from_estimate(moving, fixed),
        SPLINE: ThinPlateSplineTransform.from_estimate(moving, fixed),
    }


def _default(where: str, sets: Iterator[tuple[Array, Array]]) -> Iterator[tuple[str, Figure]]:
    """Yield the default's leave-one-out error over the lowest of all models: the worst and the 90th percentile."""
    ratios: dict[str, list[float]] = {"root mean square": [], "mean": [], "median": []}
    for fixed, moving in sets:
        mine = judge(moving, fixed).left_out
        others = [leave_one_out(model, moving, fixed, ridge=ridge) for model, ridge in _MODELS]
        for name, of in (("root mean square", _rms), ("mean", np.mean), ("median", np.median)):
            ratios[name].append(float(of(mine)) / min(float(of(one)) for one in others))
    held = np.array(ratios["root mean square"])
    data = f"{where}, {min(COUNTS)} to {max(COUNTS)} landmarks, {len(held)} sets"
    yield (
        f"left out, default over best, worst, {where}",
        Figure(float(held.max()), "times", WORSE, data=data, seed=SEED),
    )
    for name in ("mean", "median"):
        share = float((np.array(ratios[name]) <= WORSE).mean())
        what = f"left out, within a twentieth by the {name} too, {where}"
        yield what, Figure(share, "of sets", lower_is_better=False, data=data, seed=SEED)


def _rms(values: Array) -> float:
    return float(np.sqrt((values**2).mean()))


def _kidney_sets() -> Iterator[tuple[Array, Array]]:
    fixed, moving = kidney()
    for seed in range(3 * SUBSETS):
        for k in COUNTS:
            rows = np.random.default_rng([seed, k]).permutation(len(fixed))[:k]
            yield fixed[rows], moving[rows]


def _simulated_sets(kind: str) -> Iterator[tuple[Array, Array]]:
    for seed in range(SUBSETS):
        for k in COUNTS:
            for slip in (1.0, 5.0, 25.0):
                rng = np.random.default_rng([seed, k, int(slip)])
                moving = tissue(rng, k)
                yield map_of(rng, kind)(moving) + rng.normal(0, slip, moving.shape), moving


def _kidney_ten(rng: np.random.Generator) -> tuple[Array, Array, float]:
    fixed, moving = kidney()
    rows = rng.permutation(len(fixed))[:10]
    return fixed[rows], moving[rows], 1.0


def _ten(kind: str) -> Callable[[np.random.Generator], tuple[Array, Array, float]]:
    def drawn(rng: np.random.Generator) -> tuple[Array, Array, float]:
        moving, slip = tissue(rng, 10), float(rng.choice([5.0, 10.0, 20.0]))
        return map_of(rng, kind)(moving) + rng.normal(0, slip, moving.shape), moving, slip

    return drawn


def _misclicks(
    what: str, drawn: Callable[[np.random.Generator], tuple[Array, Array, float]], size: float, floor: float | None
) -> Iterator[tuple[str, Figure]]:
    """Yield how often a planted misclick is flagged, and how many right pairs are beside it and without it."""
    seen, beside, without = [], [], []
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, 10])
        fixed, moving, slip = drawn(rng)
        without.append(suspects(moving, fixed).mean())
        turn = rng.uniform(0, 2 * np.pi)
        fixed = fixed.copy()
        fixed[0] += size * slip * np.array([np.sin(turn), np.cos(turn)])
        flags = suspects(moving, fixed)
        seen.append(flags[0])
        beside.append(flags[1:].mean())
    at = {"data": f"{what}, {TRIALS} trials", "seed": SEED}
    yield f"misclick flagged, {what}", Figure(float(np.mean(seen)), "of trials", floor, lower_is_better=False, **at)
    yield f"right pairs flagged beside it, {what}", Figure(float(np.mean(beside)), "of pairs", **at)
    yield f"pairs flagged without a misclick, {what}", Figure(float(np.mean(without)), "of pairs", **at)


def _calibration(
    what: str, drawn: Callable[[np.random.Generator], tuple[float, float]]
) -> Iterator[tuple[str, Figure]]:
    """Yield the expected error over the one that is found."""
    ratios = np.array([np.divide(*drawn(np.random.default_rng(seed))) for seed in range(3 * SECTIONS)])
    low, high = np.percentile(ratios, [10, 90])
    data = f"{what}, 6 to 40 landmarks, {len(ratios)} sets, 80 % from {low:.2f} to {high:.2f}"
    yield (
        f"expected over found error, {what}",
        Figure(float(np.exp(np.log(ratios).mean())), "times", data=data, seed=SEED),
    )


def _kidney_error(rng: np.random.Generator) -> tuple[float, float]:
    fixed, moving = kidney()
    order = rng.permutation(len(fixed))
    train, test = order[: int(rng.choice([6, 10, 20, 40]))], order[46:]
    fit = fit_default(moving[train], fixed[train])
    expected = expected_error(fixed[train], moving[train], fit, fixed[test], slip=True)
    return float(expected.mean()), float(residuals(fit, moving[test], fixed[test]).mean())


def _section_error(rng: np.random.Generator, kind: str) -> tuple[float, float]:
    moving, ground, apply = tissue(rng, int(rng.choice([6, 10, 20, 40]))), tissue(rng, 100), map_of(rng, kind)
    fixed = apply(moving) + rng.normal(0, 10, moving.shape)
    fit = fit_default(moving, fixed)
    expected = expected_error(fixed, moving, fit, apply(ground))
    return float(expected.mean()), float(residuals(fit, ground, apply(ground)).mean())


def _times() -> Iterator[tuple[str, Figure]]:
    rng = np.random.default_rng(SEED)
    moving, apply = tissue(rng, 100), map_of(rng, "smooth")
    fixed = apply(moving) + rng.normal(0, 10, moving.shape)
    what: dict[str, Callable[[Array], Any]] = {
        "residuals and exact leave-one-out": lambda f: residuals(fit_default(f, fixed), f, fixed),
        "with model, suspects and all": lambda f: judge(f, fixed),
        "the next landmark of 2,000 places": lambda f: next_landmark(fixed, f, np.repeat(fixed, 20, 0)),
    }
    for name, action in what.items():
        times = []
        for _ in range(7):
            moved = moving + rng.normal(0, 1, moving.shape)  # nothing is remembered of these
            start = time.process_time()
            action(moved)
            times.append(1000 * (time.process_time() - start))
        floor = TIME_MS if name.startswith("residuals") else None
        yield (
            f"100 landmarks, {name}",
            Figure(float(np.median(times)), "ms", floor, data="100 landmarks, CPU time", seed=SEED),
        )
