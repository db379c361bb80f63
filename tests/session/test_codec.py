"""Chunks packed by ourselves are those that zarr reads and writes, and nothing else is unpacked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from napari_spatialml.session import Session, correct
from napari_spatialml.session.chunks import codec_of
from napari_spatialml.session.codec import ChunkCodec
from napari_spatialml.session.corrections import packed

from .conftest import small_section

PACKINGS = {
    "zstd": {"compressors": ZstdCodec(level=0)},
    "zstd with checksum": {"compressors": ZstdCodec(level=3, checksum=True)},
    "blosc": {"compressors": BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")},
    "nothing": {"compressors": None},
}
OTHERS = {
    "gzip": {"compressors": GzipCodec()},
    "shards": {"shards": (32, 32)},
    "fill": {"fill_value": 7},
    "big-endian": {"serializer": zarr.codecs.BytesCodec(endian="big")},
}


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64"])
@pytest.mark.parametrize("name", PACKINGS)
def test_zarr_reads_what_we_pack_and_we_what_zarr_packs(tmp_path: Path, name: str, dtype: str) -> None:
    given: dict[str, Any] = PACKINGS[name]
    array = zarr.create_array(tmp_path / "a", shape=(40, 40), chunks=(16, 24), dtype=dtype, **given)
    values = np.random.default_rng(0).integers(0, 120, (16, 24)).astype(dtype)
    array[:16, :24] = values
    codec = codec_of(array)
    assert codec is not None
    file = tmp_path / "a" / array.metadata.encode_chunk_key((0, 0))
    assert np.array_equal(codec.decode(file.read_bytes()), values)
    file.write_bytes(codec.encode(values + 1))
    assert np.array_equal(zarr.open_array(tmp_path / "a", mode="r")[:16, :24], values + 1)


@pytest.mark.parametrize("name", OTHERS)
def test_arrays_that_are_packed_in_other_ways_are_left_to_zarr(tmp_path: Path, name: str) -> None:
    given: dict[str, Any] = OTHERS[name]
    array = zarr.create_array(tmp_path / "a", shape=(64, 64), chunks=(16, 16), dtype="int32", **given)
    assert codec_of(array) is None


@pytest.mark.parametrize("name", ["zstd", "blosc", "nothing"])
def test_a_chunk_that_says_another_size_is_not_unpacked(tmp_path: Path, name: str) -> None:
    given: dict[str, Any] = PACKINGS[name]
    array = zarr.create_array(tmp_path / "a", shape=(64, 64), chunks=(64, 64), dtype="int32", **given)
    small = ChunkCodec.of({**array.metadata.to_dict(), "chunk_grid": _regular(16)})
    large = codec_of(array)
    assert small is not None and large is not None
    for codec, other in ((small, large), (large, small)):
        with pytest.raises(ValueError, match="bytes"):
            codec.decode(other.encode(np.ones(other.shape, np.int32)))
    with pytest.raises((ValueError, RuntimeError)):
        large.decode(large.encode(np.ones((64, 64), np.int32))[:9])


def _regular(edge: int) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": [edge, edge]}}


@pytest.mark.parametrize("name", ["blosc", "gzip", "shards"])
def test_a_store_keeps_its_packing_when_it_is_corrected(tmp_path: Path, name: str) -> None:
    session = Session.start(small_section())
    session.save(tmp_path / "s.zarr")
    session.close()
    given: dict[str, Any] = {**PACKINGS, **OTHERS}[name]
    place = tmp_path / "s.zarr" / "labels" / "nuclei" / "s0"
    values = zarr.open_array(place, mode="r")[:]
    attributes = json.loads((place / "zarr.json").read_text())
    made = zarr.create_array(
        place, data=values, chunks=(16, 16), overwrite=True, dimension_names=attributes["dimension_names"], **given
    )
    zarr.consolidate_metadata(tmp_path / "s.zarr")
    session = Session.open_store(tmp_path / "s.zarr")
    for at, cell in ((5, 30), (60, 31)):
        window = np.full((9, 9), cell, np.int32)
        session.execute(
            correct(session.document, "paint-labels", labels="nuclei", offset=[at, at], values=packed(window))
        )
        values[at : at + 9, at : at + 9] = cell
    session.save()
    session.close()
    found = zarr.open_array(place, mode="r")
    assert np.array_equal(found[:], values)
    assert found.metadata.to_dict()["codecs"] == made.metadata.to_dict()["codecs"]
