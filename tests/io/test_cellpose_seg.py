"""Cellpose's file: read without running anything, and written so that Cellpose itself opens it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_spatialml.errors import BadInput
from napari_spatialml.io import open_files
from napari_spatialml.io.cellpose_seg import is_cellpose_seg, read_cellpose, write_cellpose

MASKS = np.zeros((20, 30), np.uint16)
MASKS[2:8, 2:9], MASKS[10:18, 12:25] = 1, 2


def saved(folder, held, name="he_seg.npy"):
    np.save(folder / name, held)
    return folder / name


def as_cellpose_saves(**more):
    return {
        "outlines": MASKS, "colors": np.zeros((2, 3), np.uint8), "masks": MASKS, "chan_choose": [0, 0],
        "filename": "he.tif", "flows": [np.zeros((1, 20, 30, 3), np.uint8), [], None],
        "ismanual": np.array([True, False]),
        "manual_changes": [["now", "added mask", [[np.float32(1), np.int64(2)]]]], "model_path": 0,
        "flow_threshold": 0.4, "normalize_params": {"lowhigh": None}, "restore": None, "ratio": 1.0, "diameter": 17.5,
        **more,
    }  # fmt: skip


def test_what_cellposes_window_saves_is_read(tmp_path):
    path = saved(tmp_path, as_cellpose_saves(filename=Path("/data") / "he.tif"))
    found = read_cellpose(path)
    assert is_cellpose_seg(path) and np.array_equal(found.masks, MASKS) and found.masks.dtype == np.int32
    assert found.filename.endswith("he.tif") and found.diameter_px == 17.5 and found.by_hand.tolist() == [True, False]


@pytest.mark.slow  # importing Cellpose takes most of it
def test_what_cellposes_own_function_saves_is_read(tmp_path):
    io = pytest.importorskip("cellpose.io")
    flows = [np.zeros((20, 30, 3), np.uint8), np.zeros((2, 20, 30), np.float32), np.zeros((20, 30), np.float32)]
    io.masks_flows_to_seg(np.zeros((20, 30)), MASKS, flows, str(tmp_path / "he.tif"))
    assert np.array_equal(read_cellpose(tmp_path / "he_seg.npy").masks, MASKS)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_and_order_of_bytes_is_read(tmp_path, protocol):
    path = tmp_path / "a_seg.npy"
    held = np.array({"masks": np.asfortranarray(MASKS.astype(">i4")), "est_diam": np.float64(9.5)}, dtype=object)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(held, file, protocol=protocol)
    found = read_cellpose(path)
    assert np.array_equal(found.masks, MASKS) and found.diameter_px == 9.5


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    arrays(
        np.int32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 0, 3, 70_000, 2**31 - 2]),
    )
)
def test_labels_and_their_ids_come_back(tmp_path, labels):
    path = tmp_path / "a_seg.npy"
    write_cellpose(path, labels, filename="a.tif")
    found = read_cellpose(path)
    assert np.array_equal(found.masks, labels) and found.filename == "a.tif"


@pytest.mark.slow
def test_cellposes_own_readers_open_what_is_written(tmp_path, monkeypatch):
    gui = pytest.importorskip("cellpose.gui.io")
    from unittest.mock import MagicMock

    import tifffile

    tifffile.imwrite(tmp_path / "he.tif", np.zeros((20, 30), np.uint8))
    labels = MASKS.astype(np.int32) * 500
    write_cellpose(tmp_path / "he_seg.npy", labels, filename=str(tmp_path / "he.tif"))
    images, masks, *_ = gui._get_train_set([str(tmp_path / "he.tif")])
    assert np.array_equal(masks[0], MASKS) and len(images) == 1
    window = MagicMock(NZ=1, colormap=np.zeros((1_000_000, 3), np.uint8))
    drawn = {}
    monkeypatch.setattr(gui, "_initialize_images", lambda parent, image, load_3D=False: None)
    monkeypatch.setattr(
        gui, "_masks_to_gui", lambda parent, masks, outlines=None, colors=None: drawn.update(m=masks, o=outlines)
    )
    gui._load_seg(window, str(tmp_path / "he_seg.npy"))
    assert window.loaded is True and window.ncells == 2 and np.array_equal(drawn["m"], MASKS)
    assert set(np.unique(drawn["o"])) == {0, 1, 2} and (drawn["o"][4, 4], drawn["o"][2, 2]) == (0, 1)
    assert window.ismanual.tolist() == [False, False]


class Runs:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


class Stated:
    """A known thing that is given a state, as a hostile file would to change it."""

    def __reduce__(self):
        return np.dtype, ("f8",), (3, "<", None, ("a",), {"a": (np.dtype("f8"), 10_000)}, 8, 1, 16)


@pytest.mark.parametrize(
    "held",
    [
        {"masks": Runs(os.system, "touch HACKED")},
        {"masks": MASKS, "more": Runs(eval, "open('HACKED', 'w')")},
        {"masks": MASKS, "more": Runs(getattr, np.zeros(1), "tofile")},
        {"masks": MASKS, "more": [Runs(np.load, "x.npy")]},
        {"masks": np.array([("a", 1)], dtype=[("n", "O"), ("k", int)])},
        {"masks": Stated()},
        {"masks": MASKS, "more": Runs(np.zeros, 10**15)},
    ],
)
def test_nothing_that_could_run_is_loaded(tmp_path, monkeypatch, held):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"could run a program|damaged"):
        read_cellpose(saved(tmp_path, held))
    assert not (tmp_path / "HACKED").exists()


@pytest.mark.parametrize(
    "held, words",
    [
        ({"outlines": MASKS}, "holds no masks"),
        ({"masks": MASKS * 0.5}, "not whole numbers"),
        ({"masks": np.zeros((3, 4, 5), int)}, "shape"),
        ({"masks": np.full((3, 4), -7)}, "reach from -7"),
        (["masks"], "is not Cellpose's file|is an array"),
    ],
)
def test_what_is_not_cellposes_is_refused(tmp_path, held, words):
    box = np.empty((), object)
    box[()] = held
    with pytest.raises(BadInput, match=words):
        read_cellpose(saved(tmp_path, box))


def test_a_plain_array_and_a_torn_file_are_refused(tmp_path):
    with pytest.raises(BadInput, match="is an array"):
        read_cellpose(saved(tmp_path, MASKS))
    path = saved(tmp_path, as_cellpose_saves())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="damaged or cut short"):
        read_cellpose(path)


def test_a_number_cannot_fill_the_memory(tmp_path):
    """A memo index of four billion makes the compiled unpickler claim tens of gigabytes."""
    path = tmp_path / "a_seg.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(b"\x80\x02}r\xff\xff\xff\xff.")
    with pytest.raises(BadInput):
        read_cellpose(path)


def test_masks_open_beside_their_image(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "he.png")
    path = saved(tmp_path, as_cellpose_saves())
    opened = open_files(tmp_path / "he.png", path, pixel_size_um=0.5)
    assert np.array_equal(np.asarray(opened.labels["he_2"].data), MASKS)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "other.png")
    with pytest.raises(BadInput, match=r"20 × 30 pixels, as no image has\. Images: 'other' 9 × 9"):
        open_files(tmp_path / "other.png", path, pixel_size_um=0.5)
