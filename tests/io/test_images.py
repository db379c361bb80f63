"""Images come in lazily, with the channels and the pixel size that their file states, or are asked for."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_spatialml.errors import BadInput, UnitNeeded
from napari_spatialml.io import open_files

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (40, 60, 3), dtype=np.uint8)


def only(document):
    return document[next(iter(document.images))]


def scale_xy(element):
    from spatialdata.transformations import get_transformation

    return np.diag(get_transformation(element).to_affine_matrix(("x", "y"), ("x", "y")))[:2]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_lossless_image_keeps_its_pixels(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path)
    element = only(open_files(path, pixel_size_um=0.5))
    assert np.array_equal(np.asarray(element), RGB.transpose(2, 0, 1))
    assert list(element.coords["c"].values) == ["r", "g", "b"]
    assert np.allclose(scale_xy(element), 0.5)


@pytest.mark.parametrize("shape", [(30, 20), (30, 20, 3)])
def test_a_png_of_16_bits_keeps_all_16(tmp_path, shape):
    import imagecodecs

    values = RNG.integers(0, 65535, shape, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values))
    element = only(open_files(tmp_path / "a.png", pixel_size_um=1))
    assert element.dtype == np.uint16
    assert np.array_equal(np.moveaxis(np.asarray(element), 0, -1).reshape(shape), values)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_an_alpha_channel_is_left_out_and_noted(tmp_path, suffix):
    values = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    document = open_files(tmp_path / f"a.{suffix}", pixel_size_um=1)
    assert np.array_equal(np.asarray(only(document)), RGB.transpose(2, 0, 1))
    assert any("alpha" in note for note in document.attrs["spatialml"]["notes"])


def test_an_image_without_a_unit_asks_for_its_pixel_size(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with pytest.raises(UnitNeeded) as caught:
        open_files(tmp_path / "a.png")
    assert caught.value.parameter == "pixel_size_um"


@pytest.mark.parametrize("dots", [72, 96, 150, 300])
def test_a_print_density_is_not_a_pixel_size(tmp_path, dots):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", resolution=(dots, dots), resolutionunit="INCH")
    with pytest.raises(UnitNeeded):
        open_files(tmp_path / "a.tif")
    document = open_files(tmp_path / "a.tif", pixel_size_um=0.5)
    assert any("print" in note for note in document.attrs["spatialml"]["notes"])


@pytest.mark.parametrize(("unit", "um"), [("µm", 1.0), ("nm", 1e-3), ("mm", 1e3)])
def test_ome_tiff_tells_channels_and_pixel_size_in_any_unit(tmp_path, unit, um):
    values = RNG.integers(0, 99, (3, 30, 20), dtype=np.uint16)
    meta = {
        "axes": "CYX", "PhysicalSizeX": 0.5 / um, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 0.25 / um,
        "PhysicalSizeYUnit": unit, "Channel": {"Name": ["DAPI", "CD3", "PanCK"]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata=meta, photometric="minisblack")
    element = only(open_files(tmp_path / "a.ome.tif"))
    assert list(element.coords["c"].values) == ["DAPI", "CD3", "PanCK"]
    assert np.allclose(scale_xy(element), [0.5, 0.25])  # anisotropic pixels stay so
    assert np.array_equal(np.asarray(element), values)


def test_resolution_tags_in_centimetres_give_the_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", resolution=(20000, 10000), resolutionunit="CENTIMETER")
    assert np.allclose(scale_xy(only(open_files(tmp_path / "a.tif"))), [0.5, 1.0])


def test_a_stated_pixel_size_that_contradicts_the_file_is_refused_with_both(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", resolution=(20000, 20000), resolutionunit="CENTIMETER")
    with pytest.raises(BadInput, match=r"0\.5 µm but 'pixel_size_um' is 0\.6 µm"):
        open_files(tmp_path / "a.tif", pixel_size_um=0.6)
    assert np.allclose(scale_xy(only(open_files(tmp_path / "a.tif", pixel_size_um=0.51))), 0.5)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_pixel_size_is_refused(tmp_path, value):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="pixel_size_um"):
        open_files(tmp_path / "a.png", pixel_size_um=value)


def test_an_image_of_0_bytes_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(BadInput, match="0 bytes"):
        open_files(tmp_path / "a.png", pixel_size_um=1)


@pytest.mark.parametrize("how", ["a.png", "a.jpg", "strips.tif", "tiles.tif"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_an_image_that_is_cut_off_is_refused(tmp_path, how, kept):
    path = tmp_path / how
    values = RNG.integers(0, 255, (300, 300, 3), dtype=np.uint8)
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="rgb", tile=(64, 64) if "tiles" in how else None, compression="zlib")
    else:
        Image.fromarray(values).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(BadInput, match="cut off"):
        open_files(path, pixel_size_um=1)


def test_a_decompression_bomb_is_refused_with_a_way_out(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    for limit in (1500, 1000):  # Pillow warns above the limit and raises above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(BadInput, match="pyramidal TIFF"):
            open_files(tmp_path / "a.png", pixel_size_um=1)


def test_entities_in_ome_metadata_are_refused(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&b;</OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", RGB, photometric="rgb", description=bomb, metadata=None)
    with pytest.raises(BadInput, match="DOCTYPE"):
        open_files(tmp_path / "a.ome.tif", pixel_size_um=1)


def test_damaged_tags_are_refused_and_never_crash(tmp_path):
    """Each byte of the tags in turn is changed: the file opens, or one sentence says that it is damaged."""
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", tile=(32, 32), compression="zlib")
    whole = (tmp_path / "a.tif").read_bytes()
    for at in range(4, 160, 2):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "b.tif").write_bytes(damaged)
        try:
            open_files(tmp_path / "b.tif", pixel_size_um=1)
        except BadInput as error:
            assert error.hint


def test_a_time_series_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((4, 20, 20), np.uint8), metadata={"axes": "TYX"})
    with pytest.raises(BadInput, match="4 time points"):
        open_files(tmp_path / "a.ome.tif", pixel_size_um=1)


def test_two_large_images_of_one_shape_are_not_confused(tmp_path):
    values = [np.full((512, 512), v, np.uint8) for v in (3, 7)]
    for name, value in zip("ab", values, strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", value, tile=(256, 256), compression="zlib")
    import dask

    both = [only(open_files(tmp_path / f"{name}.tif", pixel_size_um=1)).data.max() for name in "ab"]
    assert dask.compute(*both) == (3, 7)


@pytest.mark.parametrize("options", [{"tile": (256, 256), "compression": "zlib"}, {}], ids=["tiled", "plain"])
def test_a_large_image_gets_a_pyramid_and_none_of_it_is_read(tmp_path, options):
    size = 6000
    values = np.zeros((size, size), np.uint8)
    values[4000:4100, 5000:5100] = 200
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    tracemalloc.start()
    element = only(open_files(tmp_path / "a.tif", pixel_size_um=1))
    levels = [node["image"] for node in element.values()]
    crop = np.asarray(levels[0][:, 4050:4060, 5050:5060])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (crop == 200).all()
    assert peak < values.size / 4
    assert [level.shape[1] for level in levels] == [6000, 3000, 1500, 750, 375]
    assert np.asarray(levels[2])[0, 1005, 1260] == 200


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_large_picture_is_drawn_small_without_a_look_at_the_whole(tmp_path, dtype):
    values = RNG.integers(0, np.iinfo(dtype).max, (4111, 601), dtype=dtype, endpoint=True)
    Image.fromarray(values).save(tmp_path / "a.png")
    element = only(open_files(tmp_path / "a.png", pixel_size_um=0.5))
    levels = [node["image"] for node in element.values()]
    assert [level.shape[1:] for level in levels] == [(4111, 601), (2055, 300), (1027, 150), (513, 75), (256, 37)]
    for fine, coarse in pairwise(levels):
        h, w = coarse.shape[1:]
        four = np.asarray(fine)[:, : 2 * h, : 2 * w].reshape(-1, h, 2, w, 2)
        assert np.array_equal(np.asarray(coarse), four.mean((2, 4)).astype(dtype))
        assert len(coarse.data.__dask_graph__()) <= 1 + coarse.data.npartitions, "it is there, not to be worked out"


def test_levels_that_a_file_holds_are_used(tmp_path):
    values = RNG.integers(0, 255, (512, 384, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(values, subifds=1, tile=(128, 128), photometric="rgb", metadata={"axes": "YXS"})
        writer.write(values[::4, ::4], subfiletype=1, tile=(128, 128), photometric="rgb")
    element = only(open_files(tmp_path / "a.ome.tif", pixel_size_um=2))
    assert np.array_equal(np.asarray(element["scale1"]["image"]), values[::4, ::4].transpose(2, 0, 1))
    from spatialdata import SpatialData, read_zarr

    SpatialData(images={"a": element}).write(tmp_path / "a.zarr")
    again = read_zarr(tmp_path / "a.zarr")["a"]
    assert np.array_equal(np.asarray(again["scale0"]["image"]), values.transpose(2, 0, 1))
    assert np.allclose(scale_xy(again), 2)


def test_a_real_slide_is_read_lazily_and_exactly(data, tmp_path):
    path = data / "slide" / "CMU-1-Small-Region.svs"
    whole = tifffile.imread(path)
    open_files(path)  # imports are not the slide's memory
    tracemalloc.start()
    element = only(open_files(path))
    crop = np.asarray(element[:, 1500:1600, 900:1000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(crop, whole[1500:1600, 900:1000].transpose(2, 0, 1))
    assert peak < whole.nbytes / 2
    assert np.allclose(scale_xy(element), 0.499)
    from spatialdata import SpatialData, read_zarr

    SpatialData(images={"slide": element}).write(tmp_path / "a.zarr")
    assert np.array_equal(np.asarray(read_zarr(tmp_path / "a.zarr")["slide"]), whole.transpose(2, 0, 1))
    with pytest.raises(BadInput, match=r"0\.499"):
        open_files(path, pixel_size_um=0.25)


def test_real_microscopy_tiffs_tell_what_they_know(data):
    he = only(open_files(data / "instanseg_examples" / "HE_example.tif"))
    assert np.allclose(scale_xy(he), 0.5, atol=0.001)
    fluorescence = only(open_files(data / "instanseg_examples" / "Fluorescence_example.tif", pixel_size_um=0.5))
    assert fluorescence.shape[0] == 2
    he = open_files(data / "bladder_msi" / "bladder_he.tif", pixel_size_um=2)
    assert list(only(he).coords["c"].values) == ["r", "g", "b"]


def test_real_nuclei_images_open_with_their_pixels(data):
    for path in sorted((data / "nuclei" / "images").glob("*.png"))[:6]:
        element = only(open_files(path, pixel_size_um=0.5))
        shown = np.asarray(Image.open(path).convert("RGB" if element.shape[0] == 3 else "L"))
        assert np.array_equal(np.asarray(element), shown.transpose(2, 0, 1) if shown.ndim == 3 else shown[None])
