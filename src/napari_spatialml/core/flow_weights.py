"""Weights of flow networks in the safetensors format: numbers and names, nothing that could run.

The format: eight bytes with the length of the header, the header in JSON (name, type, shape and place of
each tensor; ``__metadata__`` maps text to text), then the numbers.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, MissingWeights

__all__ = ["EMBEDDED", "Weights", "metadata_of", "read", "write"]

Weights = dict[str, npt.NDArray[Any]]

EMBEDDED = Path(__file__).parent.parent / "weights" / "starter.safetensors"
_TYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_LONGEST_HEADER = 1 << 22
_NOT_WEIGHTS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def write(path: Path, weights: Weights, metadata: dict[str, str]) -> None:
    """Write weights beside what is there, then put them in its place."""
    names = {dtype: name for name, dtype in _TYPES.items()}
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, array in sorted(weights.items()):
        header[name] = {
            "dtype": names[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    head = json.dumps(header, ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for _, array in sorted(weights.items()):
            file.write(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    os.replace(fresh, path)


def read(path: Path) -> tuple[Weights, dict[str, str]]:
    """Return the weights and the metadata of a file.

    Raises
    ------
    MissingWeights
        When the file is not there.
    BadInput
        When it does not hold tensors in the safetensors format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingWeights(f"The weights '{path}' cannot be read.", "Name a .safetensors file.") from error
    try:
        header, metadata = _header(content[:8], content[8:])
        body = memoryview(content)[8 + int.from_bytes(content[:8], "little") :]
        return {str(name): _tensor(entry, body) for name, entry in header.items()}, metadata
    except _NOT_WEIGHTS as error:
        raise _no_weights(path) from error


def metadata_of(path: Path) -> dict[str, str]:
    """Return the metadata of a file of weights, without reading the weights.

    Raises
    ------
    MissingWeights, BadInput
        As `read` does.
    """
    try:
        with path.open("rb") as file:
            length = file.read(8)
            text = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER + 1))
    except OSError as error:
        raise MissingWeights(f"The weights '{path}' cannot be read.", "Name a .safetensors file.") from error
    try:
        return _header(length, text)[1]
    except _NOT_WEIGHTS as error:
        raise _no_weights(path) from error


def _header(length: bytes, rest: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is said of each tensor, and the metadata."""
    n = int.from_bytes(length, "little")
    if len(length) < 8 or n > min(len(rest), _LONGEST_HEADER):
        raise ValueError("the header is longer than the file")
    header = json.loads(rest[:n])
    return header, {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}


def _no_weights(path: Path) -> BadInput:
    return BadInput(f"'{path.name}' holds no weights in the safetensors format.", "Choose a .safetensors file.")


def _tensor(entry: dict[str, Any], body: memoryview) -> npt.NDArray[Any]:
    dtype, shape = _TYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
    start, stop = (int(n) for n in entry["data_offsets"])
    if not 0 <= start <= stop <= len(body) or any(n < 0 for n in shape):
        raise ValueError("a tensor lies outside the file")
    if math.prod(shape) * dtype.itemsize != stop - start:
        raise ValueError("a tensor's shape does not fit its bytes")
    bare: Any = np.frombuffer  # its stubs do not take a memoryview
    return np.asarray(bare(body[start:stop], dtype=dtype).reshape(shape))
