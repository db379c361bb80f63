"""``python -m training.suspicion FOLDER``: fit the score and the reasons of core/suspicion, and write them there.

Errors are those of real segmentations: of ``watershed`` on all images, and of ``starter`` on the images
that its network was not trained on (``--held-out``). A cell is wrong when no true one overlaps it by half.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spatialml.core.suspicion import COLUMNS, FEATURES, Evidence, measure, relative
from napari_spatialml.core.suspicion.model import PRIOR, oddness

from .segmentations import (
    WRONG,
    Segmenter,
    errors_of,
    evidence_of,
    images_of,
    planter,
    remembered,
    starter,
    watershed,
)

__all__ = ["Rows", "rows_of"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Cells of many images: features (n, f), best overlap with the truth (n,), kind of error, image, segmenter."""

    features: npt.NDArray[np.float64]
    overlap: npt.NDArray[np.float64]
    merged: npt.NDArray[np.bool_]
    half: npt.NDArray[np.bool_]
    image: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]


def features_of(evidence: Evidence) -> npt.NDArray[np.float64]:
    """Return (n, f) the features of an image's cells, compared with the image."""
    columns = relative(measure(evidence))
    return np.stack([columns[name] for name in COLUMNS], axis=1)


def rows_of(folder: Path, segment: Segmenter, names: set[str] | None, source: int, every: int = 1) -> Rows:
    """Segment the named images (all by default), or every n-th of them, and measure every cell."""
    parts: list[tuple[Any, ...]] = []
    for number, (name, _, pixels, true) in enumerate(images_of(folder)):
        if number % every or (names is not None and name not in names):
            continue
        found = segment(pixels, true)
        if not found.labels.any():
            continue
        features = features_of(evidence_of(pixels, found))
        n = len(features)
        parts.append((features, *errors_of(true, found.labels), np.full(n, number), np.full(n, source)))
    return Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


TERMS: dict[str, tuple[tuple[str, int, float], ...]] = {
    "area": (
        ("size", 1, 1), ("size", 1, 2.5), ("size_inner", -1, 1), ("size_inner", -1, 3), ("size_near", 1, 1),
        ("size_near", -1, 1),
    ),
    "shape": (
        ("axes", -1, 1), ("ellipse", -1, 1), ("solidity", -1, 1), ("bay", 1, 1), ("roundness", -1, 1), ("holes", 1, 0),
        ("largest", -1, 0),
    ),
    "merged": (("neck", 1, 0), ("stain_valley", 1, 1), ("stain_valley_own", 1, 1), ("chance_valley", 1, 1)),
    "halves": (
        ("half_share", 1, -1), ("half_whole", 1, -2), ("half_whole_gain", 1, -1), ("half_dip", -1, -2),
        ("half_apart", -1, -2), ("half_partner_size", 1, -1), ("size", -1, 0),
    ),
    "contrast": (
        ("drop", -1, 1), ("drop_near", -1, 1), ("drop_low", -1, 1), ("slope", -1, 1), ("slope_low", -1, 1),
        ("shift", 1, 1), ("shift", -1, 1),
    ),
    "confidence": (
        ("chance", -1, 1), ("chance_low", -1, 1), ("missed", 1, 1), ("inward", -1, 1), ("flow", -1, 1),
        ("flow_low", -1, 1), ("flow_error", 1, 1), ("towards", -1, 1), ("again", -1, 1),
    ),
    "edge": (("edge", 1, 0),),
}  # fmt: skip
"""The measures that speak for each kind of reason, on which side, and from how many scales on."""
_LEAST = {
    "holes": 1.0, "largest": 0.1, "edge": 0.2, "neck": 0.08, "stain_valley": 0.08, "stain_valley_own": 0.08,
    "chance_valley": 0.5, "missed": 0.1, "again": 0.05,
}  # fmt: skip
"""Scales of measures that hardly vary among cells that are right."""

Reasons = dict[str, tuple[float, list[list[Any]]]]


def reasons_of(rows: Rows, weights: npt.NDArray[np.float64]) -> Reasons:
    """Fit each kind alone: the log-odds of being wrong grow with how odd its measures are, and never fall.

    Cells that hold several are compared with cells that are right, so are halves (with cells that touch
    others), and for the other kinds all errors; each as if one in ten were wrong.
    """
    wrong = rows.overlap < WRONG
    alike = np.abs(column(rows, "half_partner_size")) < np.log(3)  # scraps are no halves
    chosen = {"merged": rows.merged & wrong, "halves": rows.half & alike}
    found: Reasons = {}
    for kind, terms in TERMS.items():
        y = chosen.get(kind, wrong)
        right = ~wrong & (touching(rows) if kind == "halves" else True)
        balanced = np.where(y, 0.1 / max(weights[y].sum(), 1e-9), np.where(right, 0.9 / weights[right].sum(), 0))
        known = [term for term in terms if np.isfinite(column(rows, term[0])[right]).any()]
        numbers = [_usual(column(rows, feature)[right], side, near, feature) for feature, side, near in known]
        odd = [
            oddness(column(rows, feature), side, start, scale)
            for (feature, side, _), (_, start, scale) in zip(known, numbers, strict=True)
        ]
        base, fitted = _rising(odd, y.astype(np.float64), weights * balanced)
        held = zip(known, numbers, fitted, strict=True)
        kept = [[f, side, *(round(v, 4) for v in n), round(w, 4)] for (f, side, _), n, w in held if w > 1e-3]
        found[kind] = (round(base - PRIOR, 4), kept)
    return found


def column(rows: Rows, feature: str) -> npt.NDArray[np.float64]:
    """Return (n,) one feature."""
    return np.asarray(rows.features[:, COLUMNS.index(feature)])


def touching(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which cells touch another."""
    return np.isfinite(column(rows, "half_share"))


def _usual(right: npt.NDArray[Any], side: int, near: float, feature: str) -> tuple[float, float, float]:
    right = right[np.isfinite(right)]
    middle = float(np.median(right))
    scale = max(1.4826 * float(np.median(np.abs(right - middle))), _LEAST.get(feature, 0.02))
    return middle, middle + side * near * scale, scale


def _rising(odd: list[Any], y: npt.NDArray[Any], weights: npt.NDArray[Any]) -> tuple[float, list[float]]:
    """Fit a logistic regression whose weights are not negative."""
    from scipy.optimize import minimize

    if not odd:
        return PRIOR, []
    design = np.stack([np.ones(len(y)), *odd], axis=1)[weights > 0]
    y, weights = y[weights > 0], weights[weights > 0]

    def loss(w: Any) -> tuple[float, Any]:
        z = design @ w
        p = 1 / (1 + np.exp(-np.clip(z, -40, 40)))
        value = float(weights @ (np.logaddexp(0, z) - y * z)) + 1e-5 * float(w[1:] @ w[1:])
        return value, design.T @ (weights * (p - y)) + 2e-5 * np.append(0, w[1:])

    bounds = [(None, None)] + [(0, None)] * len(odd)
    fitted = minimize(loss, np.append(PRIOR, np.full(len(odd), 0.1)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(fitted[0]), [float(w) for w in fitted[1:]]


GROUPS = {
    "field": [
        f for f in FEATURES
        if f.startswith(("chance", "inward", "flow"))
        or f in ("missed", "towards", "half_apart", "half_chance_dip")
    ],
    "stain": [
        f for f in FEATURES
        if f.startswith(("drop", "slope", "shift", "stain", "texture"))
        or f in ("level", "outside", "half_dip")
    ],
}  # fmt: skip
"""Features that are missing together."""


def blanked(features: npt.NDArray[np.float64], *groups: str) -> npt.NDArray[np.float64]:
    """Return a copy without the features of some groups: what is known where that evidence is missing."""
    copy = features.copy()
    copy[:, [FEATURES.index(f) for group in groups for f in GROUPS[group]]] = np.nan
    return copy


def augmented(rows: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return features with evidence missing in every likely way, weights, and the row that each came from.

    Each segmenter weighs the same in all, whatever the number of its cells; planted errors weigh a fifth.
    """
    everything = np.arange(len(rows.overlap))
    with_field = np.flatnonzero(np.isfinite(column(rows, "chance")))
    parts = [
        (everything, (), 1.0),
        (with_field, ("field",), 0.3),
        (everything, ("field", "stain"), 0.1),
    ]
    share = np.array([0.2 if source == 2 else 1.0 for source in range(3)])
    share = share / np.maximum(np.bincount(rows.source, minlength=3), 1)
    features = np.concatenate([blanked(rows.features[at, : len(FEATURES)], *groups) for at, groups, _ in parts])
    origin = np.concatenate([at for at, _, _ in parts])
    weights = np.concatenate([share[rows.source[at]] * weight for at, _, weight in parts])
    return features, weights * len(weights) / weights.sum(), origin


def grown(features: npt.NDArray[Any], wrong: npt.NDArray[Any], weights: npt.NDArray[Any], seed: int = 0) -> Any:
    """Grow the trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=14, min_samples_leaf=25, l2_regularization=10.0,
        max_features=0.25, early_stopping=False, random_state=seed,
    )  # fmt: skip
    unknown = ~np.isfinite(features).any(axis=0)
    if unknown.any():  # the library wants one value at least
        features = np.where(unknown, 0.0, features)
    return trees.fit(features, wrong, sample_weight=weights)


def plain(trees: Any) -> dict[str, npt.NDArray[Any]]:
    """Return scikit-learn's trees as the arrays that `core/suspicion/trees.py` reads."""
    grown_nodes = [stage[0].nodes for stage in trees._predictors]
    at = np.cumsum([0] + [len(nodes) for nodes in grown_nodes])
    leaf = np.concatenate([nodes["is_leaf"] for nodes in grown_nodes]).astype(bool)

    def joined(name: str, shift: bool = False) -> npt.NDArray[Any]:
        return np.concatenate(
            [nodes[name] + (start if shift else 0) for nodes, start in zip(grown_nodes, at[:-1], strict=True)]
        )

    return {
        "feature": np.where(leaf, -1, joined("feature_idx")).astype(np.int16),
        "threshold": joined("num_threshold").astype(np.float32),
        "left": joined("left", True).astype(np.int32),
        "right": joined("right", True).astype(np.int32),
        "missing_left": joined("missing_go_to_left").astype(bool),
        "value": joined("value").astype(np.float32),
        "roots": at[:-1].astype(np.int32),
        "start": np.float64(trees._baseline_prediction.ravel()[0]),
    }


def crossed(rows: Rows, folds: int = 4) -> npt.NDArray[np.float64]:
    """Return each cell's log-odds from trees that have not seen its image."""
    features, weights, origin = augmented(rows)
    fold = rows.image % folds
    found = np.zeros(len(rows.overlap))
    for one in range(folds):
        seen = fold[origin] != one
        trees = grown(features[seen], (rows.overlap < WRONG)[origin[seen]], weights[seen])
        found[fold == one] = trees.decision_function(rows.features[fold == one, : len(FEATURES)])
    return found


def calibrated(wrong: npt.NDArray[Any], weights: npt.NDArray[Any], *evidence: npt.NDArray[Any]) -> list[float]:
    """Return slopes and start that make log-odds honest on images not seen (Platt's scaling): slope, start, rest."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(np.stack(evidence, axis=1), wrong, sample_weight=weights)
    first, *rest = (round(float(w), 4) for w in fitted.coef_[0])
    return [first, round(float(fitted.intercept_[0]), 4), *rest]


def told(name: str, wrong: npt.NDArray[Any], scores: npt.NDArray[Any]) -> str:
    """Return AUROC and how many of the errors the worst 5 and 10 % hold, with what they can hold at most."""
    from sklearn.metrics import roc_auc_score

    rank, n = np.argsort(-scores, kind="stable"), len(wrong)
    held = [wrong[rank[: round(q * n)]].sum() / max(wrong.sum(), 1) for q in (0.05, 0.1)]
    most = [min(1.0, q / max(wrong.mean(), 1e-9)) for q in (0.05, 0.1)]
    return (
        f"{name}: {n:,} cells, {wrong.mean():.1%} wrong, AUROC {roc_auc_score(wrong, scores):.3f}, "
        f"worst 5 % hold {held[0]:.0%} (at most {most[0]:.0%}), 10 % {held[1]:.0%} (at most {most[1]:.0%})"
    )


_EVERY = 3  # of the images, for segmentations of which there are plenty
_MEASURING = ("crossings", "kernels", "measure", "network", "outline", "picture", "relative")
SOURCES = ("watershed", "starter", "planted")


def joined(parts: list[Rows]) -> Rows:
    """Return the rows of several segmenters together."""
    return Rows(*(np.concatenate([getattr(p, f) for p in parts]) for f in Rows.__dataclass_fields__))


def fit(rows: Rows, out: Path) -> None:
    """Cross-validate by image, say how good it is, fit to all, and write."""
    wrong = rows.overlap < WRONG
    found = crossed(rows)
    for source, name in enumerate(SOURCES):
        mine = rows.source == source
        if mine.any():
            print(told(f"cross-validated, {name}", wrong[mine], found[mine]), flush=True)
            print(told(f"  wrong below 0.7, {name}", rows.overlap[mine] < 0.7, found[mine]), flush=True)
    features, weights, origin = augmented(rows)
    first = weights[: len(wrong)]
    slope, start = calibrated(wrong, first, found)
    again = column(rows, "again")
    twice = np.isfinite(again)
    second = (
        calibrated(wrong[twice], first[twice], found[twice], 1 - again[twice]) if twice.any() else [slope, start, 0]
    )
    if twice.any():
        print(told("looked at once", wrong[twice], found[twice]))
        print(told("looked at twice", wrong[twice], second[0] * found[twice] + second[2] * (1 - again[twice])))
    trees = plain(grown(features, wrong[origin], weights))
    np.savez_compressed(out / "trees.npz", **trees)
    each = 1 / np.bincount(rows.source, minlength=3)[rows.source]
    held = {"slope": slope, "start": start, "second": second, "reasons": reasons_of(rows, each)}
    (out / "reasons.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    print(f"{len(trees['roots'])} trees, {len(trees['feature'])} nodes, calibration {slope:.2f}, {start:.2f}")


def cached(path: Path, made: Callable[[], Rows]) -> Rows:
    """Return rows from a file, or make them and write it."""
    if not path.exists():
        rows = made()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(rows, name) for name in Rows.__dataclass_fields__})
    with np.load(path, allow_pickle=False) as held:
        return Rows(*(held[name] for name in Rows.__dataclass_fields__))


def _held_out(folder: Path) -> set[str]:
    """Return the images that the shipped network was not trained on: the trainer's first fold."""
    from .folder import folds, pictures

    read = pictures(folder)
    return {picture.name for picture, fold in zip(read, folds(read), strict=True) if fold == 0}


def main() -> None:
    """Read the arguments, measure and fit."""
    parser = argparse.ArgumentParser(prog="python -m training.suspicion", description=__doc__)
    parser.add_argument("folder", type=Path, help="images/, labels/ and index.csv")
    parser.add_argument("--held-out", type=Path, help="file of names; by default the fold held out in training")
    parser.add_argument("--weights", type=Path, help="other weights than those shipped")
    parser.add_argument("--rows", type=Path, default=Path("suspicion-rows"), help="where measures are kept")
    shipped = Path(__file__).parents[1] / "src/napari_spatialml/core/suspicion"
    parser.add_argument("--out", type=Path, default=shipped)
    given = parser.parse_args()
    code = b"".join(path.read_bytes() for path in sorted(shipped.glob("*.py")) if path.stem in _MEASURING)
    mark = hashlib.sha256(code).hexdigest()[:8]
    folder, rows = given.folder, given.rows
    parts = [
        cached(rows / f"watershed-{mark}.npz", lambda: rows_of(folder, watershed, None, 0, _EVERY)),
        cached(rows / f"planted-{mark}.npz", lambda: rows_of(folder, planter(0), None, 2, _EVERY)),
    ]
    names = set(given.held_out.read_text().split()) if given.held_out else _held_out(folder)
    weights = hashlib.sha256(given.weights.read_bytes()).hexdigest()[:8] if given.weights else "shipped"
    segment = remembered(starter(given.weights, 3), rows / f"fields-{weights}")
    parts += [
        cached(rows / f"starter-{weights}-{mark}.npz", lambda: rows_of(folder, segment, names, 1)),
        cached(rows / f"seen-{weights}-{mark}.npz", lambda: rows_of(folder, planter(1, segment), names, 2)),
    ]
    fit(joined(parts), given.out)


if __name__ == "__main__":
    main()
