"""The loops over pixels behind `flows`: diffusion, paths, seeds, holes. Import late: compiled by numba."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["boxes_of", "diffuse", "directed", "errors", "fill_holes", "follow", "grow", "peaks", "renumber", "scores"]

Labels = npt.NDArray[np.int32]
Boxes = npt.NDArray[np.int64]
Flows = npt.NDArray[np.float32]

_STILL = np.float32(1e-4)  # squared pixels: what moves less has arrived
_PEAK_REACH, _SEED_REACH = 2, 5
_SEED_PIXELS, _RIM_PIXELS = 10, 2


@njit(nogil=True, cache=True)
def boxes_of(labels: Labels) -> Boxes:
    """Return (n + 1, 7): first and last row, first and last column, pixels, sums of y and x of each label."""
    h, w = labels.shape
    highest = 0
    for y in range(h):
        for x in range(w):
            highest = max(highest, labels[y, x])
    boxes = np.zeros((highest + 1, 7), dtype=np.int64)
    boxes[:, 0] = h
    boxes[:, 1] = -1
    boxes[:, 2] = w
    boxes[:, 3] = -1
    for y in range(h):
        for x in range(w):
            k = labels[y, x]
            if k > 0:
                b = boxes[k]
                b[0] = min(b[0], y)
                b[1] = max(b[1], y)
                b[2] = min(b[2], x)
                b[3] = max(b[3], x)
                b[4] += 1
                b[5] += y
                b[6] += x
    return boxes


@njit(nogil=True, cache=True)
def diffuse(labels: Labels, boxes: Boxes, flows: Flows) -> None:
    """Write the flow of every label; see `flows.labels_to_flows`."""
    for k in range(1, len(boxes)):
        if boxes[k, 4] > 0:
            _diffuse_one(labels, k, boxes[k], flows)


@njit(nogil=True, cache=True, fastmath=True)
def _diffuse_one(labels: Labels, k: int, box: npt.NDArray[np.int64], flows: Flows) -> None:
    top, left = box[0], box[2]
    h, w = box[1] - top + 3, box[3] - left + 3
    inside = np.zeros((h, w))
    source_y, source_x = _middle(labels, k, box, inside)
    heat, sums = np.zeros((h, w)), np.zeros((h, w))
    for _ in range(2 * (h + w - 2)):
        heat[source_y, source_x] += 1
        # nine neighbours as three sums of three: whole rows, so that the processor takes them abreast
        for y in range(h):
            for x in range(1, w - 1):
                sums[y, x] = heat[y, x - 1] + heat[y, x] + heat[y, x + 1]
        for y in range(1, h - 1):
            for x in range(1, w - 1):
                heat[y, x] = inside[y, x] * (sums[y - 1, x] + sums[y, x] + sums[y + 1, x])
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            if inside[y, x] > 0:
                dy, dx = heat[y + 1, x] - heat[y - 1, x], heat[y, x + 1] - heat[y, x - 1]
                size = np.sqrt(dy * dy + dx * dx)
                if size > 0:
                    flows[0, top + y - 1, left + x - 1] = dy / size
                    flows[1, top + y - 1, left + x - 1] = dx / size


@njit(nogil=True, cache=True)
def _middle(labels: Labels, k: int, box: npt.NDArray[np.int64], inside: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Mark the label's pixels with a ninth in its padded box; return the one nearest to the centroid."""
    mean_y, mean_x = box[5] / box[4], box[6] / box[4]
    best, best_y, best_x = np.inf, 0, 0
    for y in range(box[0], box[1] + 1):
        for x in range(box[2], box[3] + 1):
            if labels[y, x] == k:
                inside[y - box[0] + 1, x - box[2] + 1] = 1 / 9
                away = (y - mean_y) ** 2 + (x - mean_x) ** 2
                if away < best:
                    best, best_y, best_x = away, y - box[0] + 1, x - box[2] + 1
    return best_y, best_x


@njit(nogil=True, cache=True)
def directed(flows: Flows, cell: npt.NDArray[np.bool_]) -> Flows:
    """Return the flows as (y, x, 2), zero outside ``cell``."""
    h, w = cell.shape
    field = np.zeros((h, w, 2), dtype=np.float32)
    for y in range(h):
        for x in range(w):
            if cell[y, x]:
                field[y, x, 0] = flows[0, y, x]
                field[y, x, 1] = flows[1, y, x]
    return field


@njit(nogil=True, cache=True, fastmath=True)
def follow(field: Flows, cell: npt.NDArray[np.bool_], steps: int, ends: Labels) -> int:
    """Let every pixel of ``cell`` follow the flow, and write the index of the pixel where it arrives.

    ``field`` is (y, x, 2) and zero outside ``cell``; ``ends`` (pixels of cell,) is in raster order.
    """
    h, w = cell.shape
    far_y, far_x = np.float32(h - 1), np.float32(w - 1)
    one = np.float32(1)
    n = 0
    for y0 in range(h):
        for x0 in range(w):
            if not cell[y0, x0]:
                continue
            y, x = np.float32(y0), np.float32(x0)
            before_y, before_x = y, x
            left = steps
            while left > 0:
                i, j = int(y), int(x)
                i1, j1 = min(i + 1, h - 1), min(j + 1, w - 1)
                v, u = y - np.float32(i), x - np.float32(j)
                a, b, c, d = (one - v) * (one - u), (one - v) * u, v * (one - u), v * u
                dy = field[i, j, 0] * a + field[i, j1, 0] * b + field[i1, j, 0] * c + field[i1, j1, 0] * d
                dx = field[i, j, 1] * a + field[i, j1, 1] * b + field[i1, j, 1] * c + field[i1, j1, 1] * d
                next_y = min(max(y + dy, np.float32(0)), far_y)
                next_x = min(max(x + dx, np.float32(0)), far_x)
                left -= 1
                if (next_y - y) ** 2 + (next_x - x) ** 2 < _STILL:
                    y, x = next_y, next_x
                    break
                # at the bottom of a sink a pixel swings between two places: only the parity is left to count
                if (next_y - before_y) ** 2 + (next_x - before_x) ** 2 < _STILL:
                    left %= 2
                before_y, before_x = y, x
                y, x = next_y, next_x
            ends[n] = int(y) * w + int(x)
            n += 1
    return n


@njit(nogil=True, cache=True)
def peaks(arrived: Labels) -> Labels:
    """Return the indices of the pixels where more arrive than at any within two, fewest first."""
    h, w = arrived.shape
    found, counts = [], []
    for y in range(h):
        for x in range(w):
            n = arrived[y, x]
            if n <= _SEED_PIXELS:
                continue
            highest = True
            for i in range(max(0, y - _PEAK_REACH), min(h, y + _PEAK_REACH + 1)):
                for j in range(max(0, x - _PEAK_REACH), min(w, x + _PEAK_REACH + 1)):
                    if arrived[i, j] > n:
                        highest = False
            if highest:
                found.append(y * w + x)
                counts.append(n)
    order = np.argsort(np.array(counts, dtype=np.int32), kind="mergesort")
    return np.array(found, dtype=np.int32)[order]


@njit(nogil=True, cache=True)
def grow(arrived: Labels, seeds: Labels, basins: Labels) -> None:
    """Number the pixels around each seed where paths end; a stronger seed takes from a weaker."""
    h, w = arrived.shape
    edge = 2 * _SEED_REACH + 1
    for k in range(len(seeds)):
        top, left = seeds[k] // w - _SEED_REACH, seeds[k] % w - _SEED_REACH
        taken = np.zeros((edge, edge), dtype=np.bool_)
        taken[_SEED_REACH, _SEED_REACH] = True
        for ring in range(1, _SEED_REACH + 1):
            before = taken.copy()
            for i in range(_SEED_REACH - ring, _SEED_REACH + ring + 1):
                for j in range(_SEED_REACH - ring, _SEED_REACH + ring + 1):
                    y, x = top + i, left + j
                    if 0 <= y < h and 0 <= x < w and arrived[y, x] > _RIM_PIXELS:
                        near = before[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
                        taken[i, j] = taken[i, j] or near.any()
        for i in range(edge):
            for j in range(edge):
                if taken[i, j]:
                    basins[top + i, left + j] = k + 1


@njit(nogil=True, cache=True)
def fill_holes(labels: Labels, boxes: Boxes) -> None:
    """Give each label what it encloses, other labels included, as background would be."""
    for k in range(1, len(boxes)):
        if boxes[k, 4] > 0:
            _fill_one(labels, k, boxes[k])


@njit(nogil=True, cache=True)
def _fill_one(labels: Labels, k: int, box: npt.NDArray[np.int64]) -> None:
    top, left = box[0] - 1, box[2] - 1
    h, w = box[1] - top + 2, box[3] - left + 2
    seen = np.zeros((h, w), dtype=np.bool_)
    outside = h * w - box[4]
    stack = np.empty(h * w, dtype=np.int64)
    stack[0], depth, reached = 0, 1, 1
    seen[0, 0] = True
    while depth > 0:
        depth -= 1
        y, x = stack[depth] // w, stack[depth] % w
        for i, j in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= i < h and 0 <= j < w and not seen[i, j]:
                margin = i == 0 or j == 0 or i == h - 1 or j == w - 1
                if margin or labels[top + i, left + j] != k:
                    seen[i, j] = True
                    stack[depth] = i * w + j
                    depth += 1
                    reached += 1
    if reached == outside:
        return
    for i in range(1, h - 1):
        for j in range(1, w - 1):
            if not seen[i, j]:
                labels[top + i, left + j] = k


@njit(nogil=True, cache=True)
def renumber(labels: Labels, kept: npt.NDArray[np.bool_]) -> int:
    """Drop the labels that are not kept and number the others by their first pixel, in place; return how many."""
    number = np.zeros(len(kept), dtype=np.int32)
    n = 0
    flat = labels.ravel()
    for i in range(len(flat)):
        k = flat[i]
        if k > 0:
            if not kept[k]:
                flat[i] = 0
                continue
            if number[k] == 0:
                n += 1
                number[k] = n
            flat[i] = number[k]
    return n


@njit(nogil=True, cache=True)
def errors(labels: Labels, n: int, own: Flows, flows: Flows) -> npt.NDArray[np.float64]:
    """Return the mean squared distance between two fields of flows over the labels 1 to n."""
    total, count = np.zeros(n + 1), np.zeros(n + 1)
    h, w = labels.shape
    for y in range(h):
        for x in range(w):
            k = labels[y, x]
            if k > 0:
                total[k] += (own[0, y, x] - flows[0, y, x]) ** 2 + (own[1, y, x] - flows[1, y, x]) ** 2
                count[k] += 1
    mean: npt.NDArray[np.float64] = total[1:] / np.maximum(count[1:], 1)
    return mean


@njit(nogil=True, cache=True)
def scores(labels: Labels, n: int, logit: Flows, flows: Flows) -> npt.NDArray[np.float64]:
    """Return the product of mean probability and mean length of the flow (at most 1) over the labels 1 to n."""
    probability, length, count = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    h, w = labels.shape
    for y in range(h):
        for x in range(w):
            k = labels[y, x]
            if k > 0:
                probability[k] += 1 / (1 + np.exp(-logit[y, x]))
                length[k] += np.sqrt(flows[0, y, x] ** 2 + flows[1, y, x] ** 2)
                count[k] += 1
    pixels = np.maximum(count[1:], 1)
    score: npt.NDArray[np.float64] = probability[1:] / pixels * np.minimum(length[1:] / pixels, 1.0)
    return score
