"""Importing is cheap, so that napari starts as fast with the plugin as without it."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from napari_spatialml.methods import kinds

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "scanpy", "spatialdata", "napari", "numpy", "anndata", "qtpy")


def in_a_new_python(code: str) -> str:
    """Run code in an interpreter of its own and return what it printed."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Return which of the modules are loaded after the code."""
    return in_a_new_python(f"{code}\nimport sys\nprint(*[n for n in {names!r} if n in sys.modules])").split()


def test_importing_the_package_adds_less_than_50_ms() -> None:
    code = "from time import perf_counter as t; a = t(); import napari_spatialml; print(t() - a)"
    assert statistics.median(float(in_a_new_python(code)) for _ in range(5)) < 0.050


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import napari_spatialml", HEAVY) == []
    assert loaded("import napari", ("napari",)) == ["napari"]  # the probe itself can see one


def test_importing_the_doctor_loads_nothing_heavy() -> None:
    assert loaded("import napari_spatialml.doctor", HEAVY) == []


@pytest.mark.parametrize("kind", kinds())
def test_listing_the_methods_of_a_kind_loads_nothing_heavy(kind: str) -> None:
    code = f"from napari_spatialml.methods import methods; assert methods({kind!r})"
    assert loaded(code, ("torch", "scanpy", "spatialdata", "napari", "cellpose", "qtpy")) == []


def test_every_package_that_the_source_imports_is_declared() -> None:
    # What comes only along with another package goes when that package no longer needs it.
    # brought by extras that need not be installed here
    elsewhere = {"instanseg": ["instanseg-torch"], "rctd": ["rctd-py"], "scvi": ["scvi-tools"]}
    found = elsewhere | dict(metadata.packages_distributions())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + [line for group in project["optional-dependencies"].values() for line in group]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    undeclared = {
        f"{name} in {file.relative_to(ROOT)}"
        for file in (ROOT / "src").rglob("*.py")
        for name in imported(file) - sys.stdlib_module_names - {"napari_spatialml"}
        if not {canonicalize_name(package) for package in found.get(name, [name])} & declared
    }
    assert undeclared == set()


def imported(file: Path) -> set[str]:
    """Return the top-level modules that a file imports, at its top or inside functions."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in names}
