"""Parts of a table as anndata writes them; the long arrays of a slide past zarr's event loop.

A table of half a million cells is twenty columns of numbers, half a million names and a matrix of a
hundred megabytes. zarr takes longer to hand their chunks on than it takes to pack them. What another
program reads is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from .blocks import RowBlocks
from .chunks import write_flat

__all__ = ["write_part"]

_LONG = 65_536
"""Values: shorter arrays are left to anndata; longer ones lie in chunks of this, or of the next."""
_COUNTS = 1 << 20
"""Of a matrix."""


def write_part(parent: Any, key: str, value: Any) -> None:
    """Write a part of a table into a zarr group of a folder.

    Parameters
    ----------
    parent
        The group.
    key
        The name of the part in it.
    value
        What anndata can write, or rows in blocks: these are not put together first.
    """
    from anndata.experimental import write_dispatched

    if isinstance(value, RowBlocks) and value.dtype.kind in "iuf":
        _write_rows(parent, key, value)
    else:
        write_dispatched(parent, key, value.whole() if isinstance(value, RowBlocks) else value, callback=_written)


def _written(write: Callable[..., None], store: Any, key: str, value: Any, *, dataset_kwargs: Any, iospec: Any) -> None:
    """Write one array or group, as anndata asks for each."""
    if sp.issparse(value) and value.format == "csr" and value.dtype.kind in "iuf":
        _write_rows(store, key, RowBlocks.of(value))
    elif type(value) is np.ndarray and value.ndim == 1 and len(value) > _LONG and _simple(value):
        _write_column(store, key, value, iospec)
    else:
        write(store, key, value, dataset_kwargs=dataset_kwargs)


def _simple(values: npt.NDArray[Any]) -> bool:
    return values.dtype.kind in "iuf" or (
        values.dtype.kind == "O" and pd.api.types.infer_dtype(values, skipna=False) == "string"
    )


def _write_column(store: Any, key: str, values: npt.NDArray[Any], iospec: Any) -> None:
    from zarr.codecs import ZstdCodec
    from zarr.core.dtype import VariableLengthUTF8

    dtype: Any = VariableLengthUTF8() if values.dtype.kind == "O" else values.dtype
    packing = ZstdCodec(level=1)
    array = store.create_array(key, shape=values.shape, dtype=dtype, chunks=(_LONG,), compressors=packing)
    array.attrs.update({"encoding-type": iospec.encoding_type, "encoding-version": iospec.encoding_version})
    write_flat(array, lambda start, stop: values[start:stop])


def _write_rows(parent: Any, key: str, rows: RowBlocks) -> None:
    """Write a CSR matrix. LZ4 is five times as fast as zarr's default, and as small for rows of counts."""
    from zarr.codecs import BloscCodec

    group = parent.require_group(key)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": list(rows.shape)})
    indptr = rows.indptr
    parts: dict[str, tuple[int, Any, Callable[[int, int], npt.NDArray[Any]]]] = {
        "data": (rows.nnz, rows.dtype, lambda start, stop: rows.values("data", start, stop)),
        "indices": (rows.nnz, indptr.dtype, lambda start, stop: rows.values("indices", start, stop)),
        "indptr": (len(indptr), indptr.dtype, lambda start, stop: indptr[start:stop]),
    }
    for name, (n, dtype, piece) in parts.items():
        packing = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
        chunks = (max(1, min(n, _COUNTS)),)
        write_flat(group.create_array(name, shape=(n,), dtype=dtype, chunks=chunks, compressors=packing), piece)
