"""Weights are numbers in a file of a public format; a file that is anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core.flow_weights import EMBEDDED, read, write
from napari_spatialml.errors import BadInput, MissingWeights


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"a.weight": rng.normal(size=(3, 2, 3, 3)).astype(np.float16), "a.bias": rng.normal(size=3).astype("f4")}


def test_weights_survive_a_file(tmp_path: Path) -> None:
    write(tmp_path / "w.safetensors", arrays(), {"widths": "1,2", "word": "µ"})
    weights, metadata = read(tmp_path / "w.safetensors")
    assert metadata == {"widths": "1,2", "word": "µ"}
    assert weights.keys() == arrays().keys()
    for name, array in arrays().items():
        assert weights[name].dtype == array.dtype and np.array_equal(weights[name], array)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_the_file_is_in_the_public_format(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    write(tmp_path / "w.safetensors", arrays(), {})
    theirs = safetensors.load_file(tmp_path / "w.safetensors")
    assert all(np.array_equal(theirs[name], array) for name, array in arrays().items())


def tensor(shape: list[int], offsets: list[int], dtype: str = "F32") -> bytes:
    head = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not weights\n" * 50,
        b"\x80\x04\x95" + bytes(100),
        (1 << 62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}"[::-1],
        tensor([2], [0, 400]),
        tensor([2], [-8, 0]),
        tensor([3], [0, 8]),
        tensor([-1, -2], [0, 8]),
        tensor([2], [0, 8], "F128"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        read(tmp_path / "model.safetensors")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="nowhere"):
        read(tmp_path / "nowhere")


def test_the_embedded_weights_are_small_and_half_precise() -> None:
    weights, metadata = read(EMBEDDED)
    assert EMBEDDED.stat().st_size < 13 * 2**20
    assert sum(w.size for w in weights.values()) > 1_500_000
    assert all(np.isfinite(w).all() for w in weights.values())
    assert metadata["network"] == "PackedFlowNetwork" and len(metadata["widths"].split(",")) == 3
