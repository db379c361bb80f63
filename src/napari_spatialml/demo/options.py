"""What the demonstration runs on; the command line has the same words from here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

__all__ = ["Options", "StatedUnits"]


@dataclass(frozen=True, kw_only=True)
class StatedUnits:
    """Physical units of files that state none; each > 0."""

    pixel_size_um: float | None = None
    """Size of one image pixel in µm, for files that do not say."""
    spot_pitch_um: float | None = None
    """Distance between neighbouring spots in µm, for files that do not say."""
    um_per_unit: float | None = None
    """µm in one unit of the coordinates, for files that do not say."""

    def stated(self) -> dict[str, float | None]:
        """Return the units by the name of their parameter."""
        return {f.name: getattr(self, f.name) for f in fields(StatedUnits)}


@dataclass(frozen=True, kw_only=True)
class Options(StatedUnits):
    """What the demonstration runs on, and where it leaves what it made."""

    out: Path = Path("demo-out")
    """Folder for section.zarr, recipe.json, report.html and screenshots."""
    section: Path | None = None
    """Your own file or folder; the embedded sample if left out."""
    name: str | None = None
    """The section, where the folder holds several."""
    second: Path | None = None
    """A second section or image, to be registered onto the first."""
    second_name: str | None = None
    """Its name, where the folder holds several."""
    landmarks: Path | None = None
    """CSV of landmark pairs: fixed_y_um, fixed_x_um, moving_y_um, moving_x_um."""
    reference: Path | None = None
    """Single-cell reference (h5ad), for deconvolution."""
    reference_column: str = ""
    """Its column of cell types; found by its name if left out."""
    n_domains: int = 5
    """Number of domains to look for."""
    region: tuple[int, int, int, int] | None = None
    """Pixels to segment: y0 y1 x0 x1; the middle of a large image if left out."""
    screenshots: bool = True
    """Take pictures of the real window, where there is a screen."""
