"""The one manifest at the top level reaches napari from a wheel and from an editable install."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "src" / "napari_spatialml" / "napari.yaml"
SUFFIXES = (
    *(
        "zarr",
        "h5ad",
        "imzML",
        "parquet",
        "svs",
        "tif",
        "tiff",
        "png",
        "jpg",
        "jpeg",
        "tsv.gz",
        "csv",
        "geojson",
        "geojson.gz",
    ),
)


@pytest.fixture(scope="module")
def manifest():
    """Return the manifest at the top level, parsed and validated."""
    from npe2 import PluginManifest

    return PluginManifest.from_file(ROOT / "napari.yaml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as an index would get it, with the tools that are here."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


def test_npe2_accepts_the_manifest() -> None:
    command = [sys.executable, "-m", "npe2", "validate", str(ROOT / "napari.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_of_the_manifest_can_be_imported() -> None:
    command = [sys.executable, "-m", "npe2", "validate", "--imports", str(ROOT / "napari.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_contribution_has_its_command_and_every_command_its_place(manifest) -> None:
    # npe2 accepts a misspelt top-level key and then drops what stands under it in silence.
    contributions = manifest.contributions
    used = {item.command for item in [*contributions.widgets, *contributions.readers]}
    assert used == {command.id for command in contributions.commands}


def test_the_reader_takes_what_people_drop(manifest) -> None:
    (reader,) = manifest.contributions.readers
    assert set(reader.filename_patterns) == {*(f"*.{suffix}" for suffix in SUFFIXES), "*_seg.npy"}
    assert reader.accepts_directories


def test_a_wheel_holds_the_manifest_once_and_as_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert [name for name in names if name.endswith("napari.yaml")] == ["napari_spatialml/napari.yaml"]
        assert archive.read("napari_spatialml/napari.yaml") == (ROOT / "napari.yaml").read_bytes()


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = ROOT / "src"
    sources = {file.relative_to(inside).as_posix() for file in inside.rglob("*.py")}
    assert sources <= names
    assert {"napari_spatialml/py.typed", "napari_spatialml/weights/starter.safetensors"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"napari_spatialml"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_a_wheel_names_command_plugin_and_no_forced_qt_binding(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        entries = archive.read(points).decode()
        metadata = archive.read(points.replace("entry_points.txt", "METADATA")).decode()
    assert "napari-spatialml = napari_spatialml.cli:main" in entries
    assert "[napari.manifest]\nnapari-spatialml = napari_spatialml:napari.yaml" in entries
    always = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert always
    assert not [line for line in always if re.search(r"(pyqt|pyside)\d", line.lower())]  # pyqtgraph takes any


def test_the_editable_copy_is_the_manifest() -> None:
    # Whoever edits napari.yaml installs again; start.py does so by itself.
    if not COPY.exists():
        pytest.skip("napari-spatialml is not installed in editable mode here.")
    assert COPY.read_bytes() == (ROOT / "napari.yaml").read_bytes()


def test_napari_finds_the_installed_plugin() -> None:
    from npe2 import PluginManifest

    found = PluginManifest.from_distribution("napari-spatialml")
    assert found.contributions.widgets[0].display_name == "SpatialML workbench"
    assert found.package_version


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Path, Path]:
    """Make an environment that has our dependencies and not ourselves; return its Python and its packages.

    The packages of this environment are put on its path by a .pth file, whose folders come last and
    whose own .pth files are not read: so an editable install here is not seen there.
    """
    folder = tmp_path / "env"
    venv.create(folder, with_pip=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", vars=scheme)) / Path(sys.executable).name, packages


def install_and_find(python: Path, *what: str) -> tuple[str, Path]:
    """Install without dependencies; return the plugin's display name and where the package was found."""
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", *what]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    code = (
        "from npe2 import PluginManifest; import napari_spatialml\n"
        "print(PluginManifest.from_distribution('napari-spatialml').display_name)\n"
        "print(napari_spatialml.__file__)"
    )
    run = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd=python.parent, check=False)
    assert run.returncode == 0, run.stderr
    name, where = run.stdout.splitlines()
    return name, Path(where)


@pytest.mark.slow
def test_a_wheel_in_a_fresh_environment_shows_the_plugin(bare: tuple[Path, Path], wheel: Path) -> None:
    python, packages = bare
    name, where = install_and_find(python, str(wheel))
    assert name == "SpatialML"
    assert where.samefile(packages / "napari_spatialml" / "__init__.py")


@pytest.mark.slow
def test_an_editable_install_in_a_fresh_environment_shows_the_plugin(bare: tuple[Path, Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__", "napari.yaml")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    for name in ("pyproject.toml", "hatch_build.py", "napari.yaml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    name, where = install_and_find(bare[0], "--no-build-isolation", "-e", str(source))
    assert name == "SpatialML"
    assert where.samefile(source / "src" / "napari_spatialml" / "__init__.py")
