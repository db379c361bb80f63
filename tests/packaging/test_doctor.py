"""The doctor tells what is wrong and what to do, and survives what it examines."""

from __future__ import annotations

import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from napari_spatialml import doctor
from napari_spatialml.doctor import Finding, diagnose, render


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    """Return what the doctor finds on this machine, by name."""
    return {finding.name: finding for finding in diagnose()}


def test_everything_that_is_not_in_order_comes_with_what_to_do(findings: dict[str, Finding]) -> None:
    assert all(finding.remedy for finding in findings.values() if finding.status != "ok")
    assert all(finding.detail for finding in findings.values())


def test_versions_are_those_installed(findings: dict[str, Finding]) -> None:
    assert findings["numpy"] == Finding("numpy", "ok", metadata.version("numpy"))
    assert findings["spatialdata"].detail == metadata.version("spatialdata")


def test_every_package_of_core_and_extras_is_looked_at(findings: dict[str, Finding]) -> None:
    names = {name.split(" (")[0] for name in findings}
    assert {"zarr", "dask", "napari", "cellpose", "torch", "pyimzml", "spatialdata-io", "scanpy", "igraph"} <= names


def test_device_qt_weights_and_disk_are_looked_at(findings: dict[str, Finding]) -> None:
    assert {"Python", "Computing device", "Display", "Cellpose weights", "State folder", "Disk"} <= set(findings)
    assert {"Qt", "Qt and OpenGL"} & set(findings)


def test_a_missing_package_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "pyimzml":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    finding = doctor._package("pyimzml", ">=1.5.5", "msi")
    assert finding.status == "missing"
    assert 'pip install "napari-spatialml[msi]"' in finding.remedy


def test_a_version_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "0.6.1")
    finding = doctor._package("spatialdata", ">=0.7.3", "")
    assert finding.status == "problem"
    assert "0.6.1" in finding.detail and ">=0.7.3" in finding.detail
    assert doctor._package("spatialdata", ">=0.6", "").status == "ok"


def test_a_crash_of_what_is_probed_does_not_take_the_doctor_along() -> None:
    found, reason = doctor._probe("import os; os.abort()")
    assert found == {}
    assert reason.startswith("crashed with signal" if sys.platform != "win32" else "ended with status")


def test_a_hanging_driver_is_given_up_on() -> None:
    start = time.monotonic()
    found, reason = doctor._probe("import time; time.sleep(60)", seconds=0.5)
    assert found == {} and "0.5 s" in reason
    assert time.monotonic() - start < 20


def test_an_error_of_what_is_probed_is_told_in_its_last_line() -> None:
    assert doctor._probe("raise RuntimeError('no such driver')") == ({}, "RuntimeError: no such driver")


def test_remarks_around_the_answer_do_not_hide_it() -> None:
    assert doctor._probe("print('a remark'); print('{\"qt\": 1}'); print('goodbye')") == ({"qt": 1}, "")


def test_without_a_display_and_xvfb_qt_is_not_tried() -> None:
    (finding,) = doctor._window(False, None)
    assert finding.status == "missing" and "display" in finding.detail


def test_a_broken_torch_is_a_problem_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TORCH_PROBE", "raise ImportError('libcudart.so.13: cannot open')")
    finding = doctor._torch()
    assert finding.status == "problem" and "libcudart" in finding.detail and finding.remedy


def test_weights_are_found_where_cellpose_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    assert doctor._weights().status == "missing"
    (tmp_path / "size_cyto3.npy").write_bytes(bytes(2_000_000))
    (tmp_path / "gui_models.txt").write_text("cyto3")
    assert doctor._weights().status == "missing"
    (tmp_path / "cyto3").write_bytes(bytes(2_000_000))
    assert doctor._weights() == Finding("Cellpose weights", "ok", f"cyto3 in {tmp_path}")


def test_a_state_folder_that_cannot_be_written_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    state, _ = doctor._state()
    assert state.status == "problem" and "Permission denied" in state.detail and state.remedy


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ENOUGH_GB", 1e9)
    assert doctor._state()[-1].status == "problem"


def test_the_text_has_a_line_for_each_finding_and_counts_what_is_wrong() -> None:
    text = render(
        [Finding("a", "ok", "1"), Finding("long name", "missing", "none", "Get it."), Finding("c", "problem", "!")]
    )
    lines = text.splitlines()
    assert lines[0].split() == ["ok", "a", "1"]
    assert "→ Get it." in lines[2]
    assert lines[-1] == "1 missing, 1 problem."
    assert render([Finding("a", "ok", "1")]).endswith("Everything is in place.")
