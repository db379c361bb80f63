"""The loops behind `tally`: points into blocks, pixels and points into cells. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def blocks_of(where, m, height, width, edge_y, edge_x, columns, block, offset):  # type: ignore[no-untyped-def]
    """Write the block of each point, -1 outside, and the pixel within it; the sums are rounded as in `moved`."""
    for i in range(len(where)):
        y, x = np.float64(where[i, 0]), np.float64(where[i, 1])
        v = np.floor((m[0, 0] * y + m[0, 1] * x) + m[0, 2])
        u = np.floor((m[1, 0] * y + m[1, 1] * x) + m[1, 2])
        if 0 <= v < height and 0 <= u < width:  # False at NaN
            row, column = np.int64(v), np.int64(u)
            by, bx = row // edge_y, column // edge_x
            block[i] = by * columns + bx
            offset[i] = (row - by * edge_y) * edge_x + (column - bx * edge_x)
        else:
            block[i] = -1


@compiled
def sorted_by(block, n_blocks, offset, codes):  # type: ignore[no-untyped-def]
    """Return where each block's points begin, and pixels and genes of the points in that order, stable."""
    starts = np.zeros(n_blocks + 1, np.int64)
    for b in block:
        if b >= 0:
            starts[b + 1] += 1
    for b in range(n_blocks):
        starts[b + 1] += starts[b]
    cursor = starts[:-1].copy()
    offsets = np.empty(starts[-1], offset.dtype)
    genes = np.empty(starts[-1], codes.dtype)
    for i in range(len(block)):
        b = block[i]
        if b >= 0:
            offsets[cursor[b]] = offset[i]
            genes[cursor[b]] = codes[i]
            cursor[b] += 1
    return starts, offsets, genes


@compiled
def _slot(value, ids, slots):  # type: ignore[no-untyped-def]
    """Return the slot in which an id is, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    at = ((np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(29)) & mask
    while slots[at] >= 0 and ids[slots[at]] != value:
        at = (at + np.uint64(1)) & mask
    return at


@compiled
def surveyed(labels):  # type: ignore[no-untyped-def]
    """Return the ids of a block with their pixels and sums of y, x, y², x², y·x, and a hash table of them."""
    height, width = labels.shape
    slots = np.full(1024, -1, np.int32)
    ids = np.empty(512, labels.dtype)
    sums = np.zeros((512, 6), np.int64)
    n = 0
    for y in range(height):
        x = 0
        while x < width:
            value, start = labels[y, x], x
            x += 1
            while x < width and labels[y, x] == value:
                x += 1
            if value == 0:
                continue
            at = _slot(value, ids, slots)
            k = slots[at]
            if k < 0:
                if n == len(ids):
                    ids = np.concatenate((ids, np.empty_like(ids)))
                    sums = np.concatenate((sums, np.zeros_like(sums)))
                    slots = np.full(2 * len(slots), -1, np.int32)
                    for j in range(n):
                        slots[_slot(ids[j], ids, slots)] = j
                    at = _slot(value, ids, slots)
                ids[n] = value
                slots[at] = k = n
                n += 1
            run = x - start
            sums[k, 0] += run
            sums[k, 1] += run * y
            first = run * (start + x - 1) // 2
            sums[k, 2] += first
            sums[k, 3] += run * y * y
            sums[k, 4] += ((x - 1) * x * (2 * x - 1) - (start - 1) * start * (2 * start - 1)) // 6
            sums[k, 5] += y * first
    return ids[:n], sums[:n], slots


@compiled
def owners(labels, offsets, ids, slots):  # type: ignore[no-untyped-def]
    """Return the place among the ids of the cell under each pixel, -1 on background."""
    width = labels.shape[1]
    found = np.empty(len(offsets), np.int32)
    for i in range(len(offsets)):
        value = labels[offsets[i] // width, offsets[i] % width]
        found[i] = -1 if value == 0 else slots[_slot(value, ids, slots)]
    return found


@compiled
def counted(cells, genes, n_cells, n_genes):  # type: ignore[no-untyped-def]
    """Return CSR parts of how many points of each gene each cell holds; sorted by gene, then by cell."""
    by_gene = np.zeros(n_genes + 1, np.int64)
    by_cell = np.zeros(n_cells + 1, np.int64)
    for i in range(len(cells)):
        if cells[i] >= 0:
            by_gene[genes[i] + 1] += 1
            by_cell[cells[i] + 1] += 1
    for g in range(n_genes):
        by_gene[g + 1] += by_gene[g]
    for c in range(n_cells):
        by_cell[c + 1] += by_cell[c]
    n = by_cell[-1]
    first = np.empty(n, np.int32)
    for i in range(len(cells)):
        if cells[i] >= 0:
            first[by_gene[genes[i]]] = i
            by_gene[genes[i]] += 1
    indptr, cursor = np.zeros(n_cells + 1, np.int64), by_cell[:-1].copy()
    sorted_genes = np.empty(n, np.int32)
    for j in first:
        c = cells[j]
        sorted_genes[cursor[c]] = genes[j]
        cursor[c] += 1
    indices, times, k = np.empty(n, np.int32), np.empty(n, np.int32), 0
    for c in range(n_cells):
        begun = k
        for i in range(by_cell[c], by_cell[c + 1]):
            if k > begun and indices[k - 1] == sorted_genes[i]:
                times[k - 1] += 1
            else:
                indices[k], times[k] = sorted_genes[i], 1
                k += 1
        indptr[c + 1] = k
    return indptr, indices[:k].copy(), times[:k].copy()


@compiled
def row_of_entries(out, filled, rows, indptr, indices, times, rank):  # type: ignore[no-untyped-def]
    """Copy a block's rows to where their cells' rows have room, genes renamed by rank."""
    indices_out, times_out = out
    for e in range(len(rows)):
        at = filled[rows[e]]
        for k in range(indptr[e], indptr[e + 1]):
            indices_out[at] = rank[indices[k]]
            times_out[at] = times[k]
            at += 1
        filled[rows[e]] = at


@compiled
def tidied(starts, indices, times, n_genes):  # type: ignore[no-untyped-def]
    """Sort each row by gene and add up what it has twice, in place; return where the rows begin now."""
    indptr = np.zeros(len(starts), np.int64)
    total = np.zeros(n_genes, np.int64)
    k = 0
    for r in range(len(starts) - 1):
        low, high = starts[r], starts[r + 1]
        ascending = True
        for i in range(low + 1, high):
            if indices[i] <= indices[i - 1]:
                ascending = False
                break
        if ascending:
            for i in range(low, high):
                indices[k], times[k] = indices[i], times[i]
                k += 1
        else:
            for i in range(low, high):
                total[indices[i]] += times[i]
            genes = np.unique(indices[low:high])
            for g in genes:
                indices[k], times[k] = g, total[g]
                total[g] = 0
                k += 1
        indptr[r + 1] = k
    return indptr


@compiled
def summed(labels, image, ids, slots, out):  # type: ignore[no-untyped-def]
    """Add the values of a channel (h, w) to the sums of the cells under them."""
    height, width = labels.shape
    last, k = labels[0, 0], np.int64(-1)
    for y in range(height):
        for x in range(width):
            value = labels[y, x]
            if value == 0:
                continue
            if k < 0 or value != last:
                k, last = np.int64(slots[_slot(value, ids, slots)]), value
            out[k] += image[y, x]
