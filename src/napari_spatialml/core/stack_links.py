"""The links of a stack, found by any registration method: neighbours, next neighbours, further ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadInput
from .arrays import require
from .registration import Alignment, Pair, Registrar, Side
from .report import Report, part, silent
from .stacks import Link

__all__ = ["Links", "register_links"]


@dataclass(frozen=True)
class Links:
    """What came of registering the sections of a stack pair by pair.

    Parameters
    ----------
    alignments
        By (moving, fixed), for the pairs that could be registered.
    refused
        By (moving, fixed): why the method could not register the pair, in one sentence.
    """

    alignments: dict[Link, Alignment]
    refused: dict[Link, str]

    @property
    def weights(self) -> dict[Link, float]:
        """How far each link is believed beforehand: its trust, at least 0.01 so that it can bridge a gap."""
        found = {link: one.trust for link, one in self.alignments.items()}
        return {link: 1.0 if trust is None else max(trust.score, 0.01) for link, trust in found.items()}


def register_links(sections: Sequence[Side], registrar: Registrar, reach: int = 2, report: Report = silent) -> Links:
    """Register every two sections that lie at most ``reach`` apart in the stack, the later one onto the earlier.

    Parameters
    ----------
    sections
        In the order in which they were cut.
    registrar
        The method; it may use all that it needs of a side.
    reach
        1: neighbours only, a chain that drifts; 2: next neighbours too; 3: those after them.

    Raises
    ------
    BadInput
        When there are fewer than two sections or the reach is below 1. A pair that the method refuses
        stops nothing: it is told in ``refused``.
    """
    require(len(sections) > 1, f"There is {len(sections)} section.", "A stack has at least two.")
    require(reach >= 1, f"The reach is {reach}.", "Give 1 for neighbours, 2 for next neighbours too.")
    wanted = [(i, j) for i in range(len(sections)) for j in range(max(0, i - reach), i)]
    found, refused = dict[Link, Alignment](), dict[Link, str]()
    for number, (i, j) in enumerate(wanted):
        inner = part(report, number / len(wanted), (number + 1) / len(wanted))
        inner(0.0, f"Section {i + 1} onto section {j + 1}")
        try:
            found[i, j] = registrar(Pair(fixed=sections[j], moving=sections[i]), inner)
        except BadInput as error:
            refused[i, j] = str(error)
    return Links(found, refused)
