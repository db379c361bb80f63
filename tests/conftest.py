"""What all tests share: the real data, and how hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# No deadline: the first call of a compiled function is slow. The same examples in CI every time.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real data; a test that asks for it is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"NOT TESTED ON REAL DATA: there is no folder {DATA}.")
    return DATA


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the journals of unsaved sections out of the person's own folder."""
    monkeypatch.setenv("NAPARI_SPATIALML_STATE", str(tmp_path_factory.mktemp("state")))
