"""The bootstrap installs when something changed, not otherwise, and says what a person can do."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "start.py"


@pytest.fixture
def start() -> ModuleType:
    """Return start.py as a module."""
    spec = importlib.util.spec_from_file_location("start", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path, start: ModuleType) -> Path:
    """Return a copy of the files that decide what is installed."""
    for name in start.DECIDES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def installed(start: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[list[str]]]:
    """Let `install` run without pip; return the environment's folder and the list of pip's calls."""
    calls: list[list[str]] = []
    folder = tmp_path / "env"

    def make(venv: Path) -> None:
        start.program(venv, "python").parent.mkdir(parents=True, exist_ok=True)
        start.program(venv, "python").touch()

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(start, "make_venv", make)
    monkeypatch.setattr(start.subprocess, "run", run)
    return folder, calls


def test_the_stamp_is_the_same_for_the_same_files(start: ModuleType, tree: Path) -> None:
    assert start.stamp(tree) == start.stamp(tree)


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "napari.yaml"])
def test_the_stamp_changes_when_what_is_installed_changes(start: ModuleType, tree: Path, name: str) -> None:
    before = start.stamp(tree)
    with (tree / name).open("a", encoding="utf-8") as file:
        file.write("\n# another line\n")
    assert start.stamp(tree) != before


def test_the_stamp_changes_with_python(start: ModuleType, tree: Path) -> None:
    assert start.stamp(tree, (3, 11, 7)) != start.stamp(tree, (3, 12, 1))


def test_the_second_start_installs_nothing(start: ModuleType, installed: tuple[Path, list[list[str]]]) -> None:
    folder, calls = installed
    start.install(folder)
    assert len(calls) == 2
    start.install(folder)
    assert len(calls) == 2


def test_an_interrupted_installation_is_done_again(
    start: ModuleType, installed: tuple[Path, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls = installed
    start.install(folder)
    monkeypatch.setattr(start, "stamp", lambda: "something changed")

    def stop(command: list[str], **_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(start.subprocess, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            start.install(folder)
    start.install(folder)
    assert len(calls) == 4


def test_when_pip_fails_its_reason_is_told_and_no_stamp_is_left(
    start: ModuleType, installed: tuple[Path, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = installed

    def run(command: list[str], stdout, **_: object) -> subprocess.CompletedProcess[str]:
        stdout.write("Collecting torch\nERROR: No matching distribution found for torch\nnotice\n")
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(start.subprocess, "run", run)
    with pytest.raises(start.Failure, match="No matching distribution found for torch"):
        start.install(folder)
    assert not (folder / ".start-stamp").exists()


def test_torch_comes_first_and_is_named_in_every_call(start: ModuleType) -> None:
    first, second = start.installs(version=(3, 11, 7))
    pinned = start.torch_requirement(version=(3, 11, 7))
    assert pinned.startswith("torch==") and "+" not in pinned
    assert first == [pinned]
    assert pinned in second and second[second.index("-c") + 1].endswith("constraints.txt")
    assert second[-1].endswith("[all,dev]")


def test_another_python_installs_by_the_floors(start: ModuleType) -> None:
    first, second = start.installs(version=(3, 13, 0))
    assert first == ["torch"]
    assert "-c" not in second and "torch" in second


def test_an_index_for_torch_is_used_only_when_named(start: ModuleType) -> None:
    assert all("--extra-index-url" not in call for call in start.installs())
    assert all(call[:2] == ["--extra-index-url", "file:///x"] for call in start.installs(index="file:///x"))


def test_the_constraints_meet_what_pyproject_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert not [version for version in pinned.values() if "+" in version or "/" in version]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # whoever wants one installs it: not tested here, so nothing is pinned
    alone = {"stardist", "instanseg", "cell2location", "rctd"}
    groups = {name: group for name, group in project["optional-dependencies"].items() if name not in alone}
    assert not alone & set(",".join(groups["all"]).replace("[", ",").replace("]", ",").split(","))
    asked = [Requirement(r) for group in groups.values() for r in group]
    asked += [Requirement(r) for r in project["dependencies"]]
    for requirement in asked:
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_missing_libraries_are_named_with_the_line_to_run(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.delenv("SPATIALML_NO_SYSTEM", raising=False)
    monkeypatch.setattr(start, "missing_packages", lambda: ["libegl1", "xvfb"])
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(start.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(start.Failure, match="sudo apt-get install -y --no-install-recommends libegl1 xvfb"):
        start.system()


def test_root_on_debian_gets_the_missing_libraries(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.delenv("SPATIALML_NO_SYSTEM", raising=False)
    monkeypatch.setattr(start, "missing_packages", lambda: ["libegl1"])
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(start.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(start.subprocess, "run", run)
    start.system()
    assert calls == [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "libegl1"]]


def test_a_library_that_is_absent_is_noticed(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "LIBRARIES", {"libnone1": "libnone-of-this-name.so.1"})
    monkeypatch.setattr(start, "has_display", lambda: True)
    assert start.missing_packages() == ["libnone1"]


def test_without_a_screen_the_demo_is_headless(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(start, "spatialml", lambda venv, arguments, environment: asked.append(arguments) or 0)
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    monkeypatch.setattr(start, "has_display", lambda: False)
    start.demo(ROOT, [])
    start.demo(ROOT, ["--headless", "--out", "elsewhere"])
    monkeypatch.setattr(start, "has_display", lambda: True)
    start.demo(ROOT, ["--section", "a.zarr"])
    assert asked == [
        ["demo", "--headless", "--out", "demo-out"],
        ["demo", "--headless", "--out", "elsewhere"],
        ["demo", "--section", "a.zarr"],
    ]


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="there is no Xvfb here")
def test_a_virtual_screen_lives_as_long_as_it_is_needed(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "has_display", lambda: False)
    with start.screen() as environment:
        place = f"/tmp/.X11-unix/X{environment['DISPLAY'].removeprefix(':')}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(place)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):
        client.connect(place)


def test_a_failing_check_makes_the_test_command_fail(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(Path(command[0]).stem)
        return subprocess.CompletedProcess(command, int(ran[-1] == "mypy"))

    monkeypatch.setattr(start.subprocess, "run", run)
    assert start.test(ROOT / ".venv", []) == 1
    assert ran == ["ruff", "mypy", "lint-imports", "pytest"]
    assert "failed: mypy" in capfd.readouterr().out


def test_a_folder_that_is_no_environment_is_not_deleted(start: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(start.Failure, match="not a virtual environment"):
        start.make_venv(tmp_path)
    assert (tmp_path / "thesis.docx").exists()


def test_an_old_python_is_told_so_in_one_line(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "OLDEST", (99, 0))
    monkeypatch.setattr(start, "newer_python", lambda: None)
    with pytest.raises(start.Failure, match="is needed"):
        start.main(["setup"])


def test_start_needs_nothing_but_the_standard_library() -> None:
    import ast

    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_an_unknown_command_is_refused_with_the_known_ones() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "dmeo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "demo" in done.stderr and "setup" in done.stderr


def test_an_old_python_can_read_the_script_far_enough_to_say_so() -> None:
    import ast

    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.skipif(not (ROOT / ".venv" / ".start-stamp").exists(), reason="start.py did not set this tree up")
def test_the_second_start_takes_less_than_a_second(start: ModuleType) -> None:
    if (ROOT / ".venv" / ".start-stamp").read_text() != start.stamp():
        pytest.skip("the tree changed since start.py set it up")
    began = time.monotonic()
    subprocess.run([sys.executable, str(SCRIPT), "setup"], check=True, capture_output=True)
    assert time.monotonic() - began < 1
