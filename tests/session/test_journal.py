"""The journal survives what happens to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatialml.errors import DocumentError
from napari_spatialml.session.journal import Journal


def written(path: Path, n: int) -> Journal:
    journal = Journal(path)
    for i in range(n):
        journal.append({"op": "do", "n": i, "text": "schön"}, [bytes([i]) * (i * 7), b"x"])
    return journal


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    written(tmp_path / "j", 5).close()
    again = Journal(tmp_path / "j")
    assert [line.meta["n"] for line in again.lines] == [0, 1, 2, 3, 4]
    assert again.lines[3].buffers() == [b"\x03" * 21, b"x"]
    again.append({"op": "do", "n": 5})
    again.close()
    assert len(Journal(tmp_path / "j", read_only=True).lines) == 6


@settings(max_examples=30)
@given(cut=st.integers(1, 400))
def test_a_torn_end_costs_only_the_records_it_tore(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("j") / "j"
    journal = written(path, 6)
    ends = [line.start + sum(line.meta["sizes"]) for line in journal.lines]
    journal.close()
    size = max(path.stat().st_size - cut, len(b"napari-spatialml journal 1\n"))
    with path.open("r+b") as file:
        file.truncate(size)
    whole = sum(end <= size for end in ends)
    torn = Journal(path)
    assert len(torn.lines) == whole
    torn.append({"op": "do", "n": 99})
    torn.close()
    assert [line.meta["n"] for line in Journal(path, read_only=True).lines] == [*range(whole), 99]


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    journal = written(tmp_path / "j", 3)
    at = journal.lines[1].start
    journal.close()
    data = bytearray((tmp_path / "j").read_bytes())
    data[at] ^= 1
    (tmp_path / "j").write_bytes(data)
    assert len(Journal(tmp_path / "j", read_only=True).lines) == 1


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"something else entirely, and longer than the first line")
    with pytest.raises(DocumentError, match="not a journal"):
        Journal(tmp_path / "j")


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path / "j", 2)
    before = (tmp_path / "j").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DocumentError, match="No space left"):
        journal.append({"op": "do", "n": 2}, [b"abc" * 100])
    monkeypatch.undo()
    assert (tmp_path / "j").read_bytes() == before
    journal.append({"op": "do", "n": 2})
    journal.close()
    assert [line.meta["n"] for line in Journal(tmp_path / "j").lines] == [0, 1, 2]


def test_a_large_buffer_is_written_once_and_read_wherever_it_is_named(tmp_path: Path) -> None:
    large, other = bytes(range(256)) * 40, bytes(reversed(range(256))) * 40
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"op": "do"}, [large, b"x"])
    size = path.stat().st_size
    journal.append({"op": "do"}, [b"y", large, other, b"z"])
    assert path.stat().st_size < size + len(other) + 300
    journal.retract()  # what it wrote is not there any more
    journal.append({"op": "do"}, [other, large, other])
    moved = tmp_path / "elsewhere" / "j"
    moved.parent.mkdir()
    journal.copy_to(moved)
    journal.close()
    for place in (path, moved):
        again = Journal(place, read_only=True)
        assert [line.buffers() for line in again.lines] == [[large, b"x"], [other, large, other]]


@pytest.mark.parametrize("named", [[-2, 5], [9, -5], [0, 1 << 60], [10_000, 5]])
def test_a_buffer_that_lies_nowhere_is_said_to_be_damaged(tmp_path: Path, named: list[int]) -> None:
    journal = written(tmp_path / "j", 2)
    journal.lines[1].meta["sizes"] = [named]
    with pytest.raises(DocumentError, match="does not hold"):
        journal.lines[1].buffers()
    journal.close()
