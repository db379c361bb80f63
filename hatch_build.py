"""Put the top-level ``napari.yaml`` where napari looks for it: inside the package.

A wheel gets the file itself. An editable install has no folder of its own, and napari looks beside
``__init__.py``, so there the file is copied into ``src``; git ignores the copy. A link would need
administrator rights on Windows.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManifestHook(BuildHookInterface):  # type: ignore[type-arg]
    """Ship the manifest with wheels and with editable installs alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the manifest to this build; ``version`` is "standard" or "editable"."""
        if self.target_name != "wheel":
            return
        manifest = Path(self.root) / "napari.yaml"
        if version == "editable":
            shutil.copyfile(manifest, Path(self.root) / "src" / "napari_spatialml" / "napari.yaml")
        else:
            build_data["force_include"][str(manifest)] = "napari_spatialml/napari.yaml"
