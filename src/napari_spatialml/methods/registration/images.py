"""Registration from images alone, whatever their stains and wherever they start."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ...core.elastic import bend_between, unbent
from ...core.image_alignment import Wanted, find_affine, pictures_of, start_of
from ...core.image_trust import believed, certainty_of
from ...core.method import Advanced, Interval, Means, Unit, method
from ...core.registration import Alignment, Candidate, Pair, Registrar
from ...core.report import Report, part, silent
from ...core.transform import Chain


@method(
    title="Images",
    citation="Öfverstedt 2022, doi:10.1016/j.patrec.2022.05.022; Cachier 2003, doi:10.1016/S1077-3142(03)00002-X",
)
class Images(Registrar):
    """Bring the moving image onto the fixed one by what both show, whatever their stains.

    Every turn, size and side is tried by mutual information on small images; the best placements are
    compared in detail by local correlation of those mixtures of channels that are most alike, refined to
    an affine map, and then bent. It takes histology of any stain, fluorescence, ion images and
    densities of cells. Other placements that come close are offered as candidates, mirrored ones among them.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"image"})

    movement: Literal["rigid", "similarity", "affine"] = "affine"
    """What the moving image may do as a whole: turn and shift; change its size too; or shear as well."""
    bend: Literal["elastic", "none"] = "elastic"
    """Whether it is bent locally afterwards."""
    search: Literal["everywhere", "near"] = "everywhere"
    """Try every turn, or only turns of up to 20° from where the images lie now."""
    reflection: Literal["auto", "never", "always"] = "auto"
    """Whether the moving image may be turned over; "auto" tries both."""
    scale_range: Annotated[float, Interval(ge=1, le=4), Advanced()] = 2.0
    """The sizes may differ by this factor beyond what the pixel sizes say."""
    resolution_um: Annotated[float, Interval(ge=0), Unit("µm"), Means(0, "estimate", 4), Advanced()] = 0.0
    """The pixel at which the images are compared; by default the larger image has 1,000 of them an edge."""
    stiffness: Annotated[float, Interval(ge=0.25, le=8), Advanced()] = 1.0
    """How stiff the elastic part is: higher follows less detail."""

    def __call__(self, pair: Pair, report: Report = silent) -> Alignment:
        """Find the transform from the moving image to the fixed one.

        Landmarks, where both sides have at least two, are tried as one more start.

        Raises
        ------
        BadInput
            When an image is missing, too small, or the same everywhere.
        """
        report(0.0, "Reading the images")
        fixed, moving = pictures_of(pair, self.resolution_um)
        wanted = Wanted(self.movement, self.search == "everywhere", self.reflection, self.scale_range)
        found = find_affine(fixed, moving, wanted, start_of(pair), part(report, 0.05, 0.6))
        trust = believed(fixed, moving, found)
        candidates = tuple(Candidate(fit.transform, fit.score) for fit in found.placements)
        best = found.best.transform
        if self.bend == "none":
            certainty = certainty_of(fixed, unbent(fixed, moving, best))
            report(1.0, "Registered")
            return Alignment(best, None, candidates, trust, certainty)
        field, bent = bend_between(fixed, moving, best, self.stiffness, part(report, 0.6, 0.97))
        certainty = certainty_of(fixed, bent)
        report(1.0, "Registered")
        return Alignment(Chain((best, field)), None, candidates, trust, certainty)
