"""What is nearly a format says what it is, and what to do."""

from __future__ import annotations

import pandas as pd
import pytest

from napari_spatialml.errors import BadInput
from napari_spatialml.io import open_files


@pytest.fixture
def transcripts(tmp_path):
    path = tmp_path / "transcripts.parquet"
    pd.DataFrame({"x": [1.0, 2.0] * 500, "y": [3.0, 4.0] * 500, "cell_id": range(1000)}).to_parquet(path)
    return path


def test_transcripts_that_are_cut_off_are_called_damaged_not_unknown(transcripts):
    whole = transcripts.read_bytes()
    transcripts.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"'transcripts.parquet' is damaged or cut off. Copy"):
        open_files(transcripts)


def test_transcripts_without_a_gene_name_the_columns_they_have_and_need(transcripts):
    with pytest.raises(BadInput, match="columns are x, y, cell_id") as told:
        open_files(transcripts)
    assert "feature_name" in told.value.hint


@pytest.mark.parametrize(
    "sign, said",
    [
        ("experiment.xenium", "xenium"),
        ("detected_transcripts.csv", "merscope"),
        ("run1_fov_positions_file.csv", "cosmx"),
    ],
)
def test_the_folder_of_a_platform_is_named_with_the_command_that_converts_it(tmp_path, sign, said):
    folder = tmp_path / "outs"
    folder.mkdir()
    (folder / sign).write_text("a,b\n")
    with pytest.raises(BadInput, match=f"(?i)'outs' is a {said} folder") as told:
        open_files(folder)
    assert f"python -m spatialdata_io {said} -i outs -o outs.zarr" in told.value.hint


@pytest.mark.parametrize("inside", [False, True])
def test_the_folder_of_visium_hd_says_which_folders_can_be_opened(tmp_path, inside):
    for side in (2, 8, 16):
        (tmp_path / "hd" / "binned_outputs" / f"square_{side:03d}um").mkdir(parents=True)
    chosen = tmp_path / "hd" / "binned_outputs" if inside else tmp_path / "hd"
    with pytest.raises(BadInput, match="in 3 sizes") as told:
        open_files(chosen)
    for name in ("square_002um", "square_008um", "square_016um"):
        assert (name if inside else f"binned_outputs/{name}") in told.value.hint


def test_the_real_folders_of_the_platforms_are_known(data):
    for name, said in (("merscope", "MERSCOPE"), ("cosmx", "CosMx"), ("xenium_outs", "Xenium"), ("visium_hd", "sizes")):
        with pytest.raises(BadInput, match=said):
            open_files(data / "vendor" / name)
