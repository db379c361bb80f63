"""What a registration runs on: the two sides, and of each what the chosen method needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QVBoxLayout, QWidget

from ..session import GLOBAL, Document, RegistrationSelection
from ..session.row_words import rows_are
from ..session.side_images import pictures_in
from .name_box import NameBox
from .step import choose
from .style import SPACING, Rows

__all__ = [
    "RegisterInputs",
    "element_of",
    "features_shared",
    "images_of",
    "pictures_of",
    "tables_of",
    "uses_of",
    "way_to_compare",
]

_NONE = ""
_WHAT = {
    "X": "all genes or ions",
    "obsm": "{}",
    "obs": "types: {}",
    "layers": "layer {}",
}


def uses_of(method: type[Any]) -> frozenset[str]:
    """Return what of a side a method needs or may use."""
    return frozenset(method.needs) | frozenset(getattr(method, "may_use", ()))


def images_of(document: Document, system: str, other: str) -> list[str]:
    """Return the images that belong to a coordinate system, not as guests of the other side, histology first."""
    from ..views.images import is_histology

    held = [n for n in pictures_of(document, system, other) if n in document.names("images")]
    return sorted(held, key=lambda n: (not is_histology(document, n), n))


def pictures_of(document: Document, system: str, other: str) -> list[str]:
    """Return what shows the tissue of a coordinate system: images, labels of pixels, tables of cells or spots."""
    found = list(pictures_in(document, system))
    return [n for n in found if _own(document, [element_of(document, n)], system, other)]


def element_of(document: Document, name: str) -> str:
    """Return an element itself; of a table what it annotates."""
    return document.annotated(name) if name in document.names("tables") else name


def tables_of(document: Document, system: str, other: str) -> list[str]:
    """Return the tables whose rows lie in a coordinate system, not as guests of the other side."""
    found = []
    for table in document.names("tables"):
        elements = [e for e in document.regions(table) if document.type_of(e) in ("shapes", "labels", "points")]
        if _own(document, [e for e in elements if system in document.placed(e)], system, other):
            found.append(table)
    return found


def _own(document: Document, names: list[str], system: str, other: str) -> list[str]:
    """Leave out what a registration has brought from the other coordinate system."""
    aligned = document.attribute("alignments", {})
    if str(aligned.get(other, {}).get("fixed", "")) != system:
        return names
    return [n for n in names if other not in document.placed(n)]


def features_shared(document: Document, one: str, other: str) -> list[str]:
    """Return what describes the rows of both tables: "X", blocks of obsm, layers, and columns of types."""
    tables = [document.table(t) for t in (one, other) if t]
    if len(tables) < 2:
        return []
    a, b = tables
    found = ["X"] if len(a.var_names.intersection(b.var_names)) else []
    found += [f"layers/{k}" for k in a.layers if k in b.layers and found]
    found += [f"obsm/{k}" for k in a.obsm if k in b.obsm and k != "spatial"]
    types = [c for c in a.obs if c in b.obs and isinstance(a.obs[c].dtype, pd.CategoricalDtype)]
    keys = {str(t.uns.get("spatialdata_attrs", {}).get("region_key", "")) for t in tables}
    return found + [f"obs/{c}" for c in types if isinstance(b.obs[c].dtype, pd.CategoricalDtype) and c not in keys]


def way_to_compare(document: Document, moving: str, fixed: str) -> str:
    """Return the method by which two sides are compared where nothing is known yet.

    Images, where both sides have one; what is expressed, where both are spots or cells with the same genes and at
    least one has no image: their sums drawn as an image show the outline of the tissue and little else.
    """
    sides = ((moving, fixed), (fixed, moving))
    if all(images_of(document, *side) for side in sides):
        return "images"
    tables = [[t for t in tables_of(document, *side) if rows_are(document, t) in ("spots", "cells")] for side in sides]
    if any("X" in features_shared(document, a, b) for a in tables[0] for b in tables[1]):
        return "consecutive-sections"
    return "images" if all(pictures_of(document, *side) for side in sides) else "landmarks"


class RegisterInputs(QWidget):
    """Fields for the two sides.

    Parameters
    ----------
    changed
        Called when another side, image or table was chosen.
    """

    def __init__(self, changed: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.moving, self.fixed = NameBox(), NameBox()
        self.moving_image, self.fixed_image = NameBox(), NameBox()
        self.moving_points, self.fixed_points, self.features = NameBox(), NameBox(), NameBox()
        self.refine = QCheckBox("Refine from here")
        self.refine.setToolTip("Go on from how the sides lie on each other now, instead of searching from anew.")
        self._rows = Rows()
        self._labels: dict[QComboBox, QLabel] = {}
        for field, label, help in (
            (self.moving, "Moving", "The coordinate system that is moved, with all that lies in it."),
            (self.fixed, "Fixed", "The coordinate system that stays where it is."),
            (self.moving_image, "Moving image", "The image by which the moving side is compared."),
            (self.fixed_image, "Fixed image", "The image by which the fixed side is compared."),
            (self.moving_points, "Moving rows", "The table whose cells, spots or pixels are matched."),
            (self.fixed_points, "Fixed rows", "The table on whose cells, spots or pixels they are matched."),
            (self.features, "Compared by", "What describes a row on both sides."),
        ):  # fmt: skip
            self._labels[field] = self._rows.add(label, field, help)
            field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            field.setMinimumContentsLength(12)
            field.currentIndexChanged.connect(lambda _i: changed())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self._rows)
        layout.addWidget(self.refine)

    def fill(self, document: Document, method: type[Any] | None) -> None:
        """Offer what the document holds and the method uses."""
        systems = document.coordinate_systems()
        fixed = choose(self.fixed, systems, GLOBAL)
        moving = choose(self.moving, [s for s in systems if s != fixed])
        uses = uses_of(method) if method is not None else frozenset[str]()
        needs = frozenset(method.needs) if method is not None else frozenset[str]()
        sides = ((self.moving_image, self.moving_points, moving, fixed),
                 (self.fixed_image, self.fixed_points, fixed, moving))  # fmt: skip
        for image, points, system, other in sides:
            self._offer(image, self._pictures(document, system, other), "image", uses, needs)
            self._offer(points, tables_of(document, system, other) if moving else [], "points", uses, needs)
        shared = features_shared(document, str(self.moving_points.currentData() or ""),
                                 str(self.fixed_points.currentData() or ""))  # fmt: skip
        self._offer(self.features, shared, "features", uses, needs)
        for k in range(self.features.count()):
            self.features.setItemText(k, _described(str(self.features.itemData(k))))
        held = document.attribute("alignments", {}).get(moving, {})
        lies = str(held.get("fixed", "")) == fixed and bool(moving)
        self.refine.setVisible(lies)
        if not lies:
            self.refine.setChecked(False)

    def missing(self, method: type[Any]) -> str:
        """Return what the method needs and the section does not have, or ""."""
        sides = (("moving", self.moving, self.moving_image, self.moving_points),
                 ("fixed", self.fixed, self.fixed_image, self.fixed_points))  # fmt: skip
        for _, system, image, points in sides:
            name = system.currentData()
            if "image" in method.needs and not image.currentData():
                return f"Nothing in '{name}' can be compared as an image: choose another method."
            if "points" in method.needs and not points.currentData():
                return f"There is no table of cells, spots or pixels in '{name}': segment it, or choose another method."
        if "features" in method.needs and not self.features.currentData():
            return "The two tables have no features in common: choose other tables, or another method."
        return ""

    def selection(self) -> RegistrationSelection:
        """Return what is chosen; what the method does not use stays empty."""

        def said(field: QComboBox) -> str:
            return str(field.currentData() or "") if not field.isHidden() else ""

        return RegistrationSelection(
            str(self.moving.currentData() or ""),
            str(self.fixed.currentData() or ""),
            moving_image=said(self.moving_image),
            fixed_image=said(self.fixed_image),
            moving_points=said(self.moving_points),
            fixed_points=said(self.fixed_points),
            features=said(self.features),
            refine=self.refine.isChecked() and not self.refine.isHidden(),
        )

    @staticmethod
    def _pictures(document: Document, system: str, other: str) -> list[str]:
        """Return what can be compared as an image, histology first."""
        if not system or not other:
            return []
        images = images_of(document, system, other)
        return images + [n for n in pictures_of(document, system, other) if n not in images]

    def _offer(self, field: QComboBox, names: list[str], use: str, uses: frozenset[str], needs: frozenset[str]) -> None:
        optional = use in uses and use not in needs
        choose(field, [*names, _NONE] if optional and names else names)
        none = field.findData(_NONE)
        if none >= 0:
            field.setItemText(none, "none")
        shown = use in uses and bool(names)
        field.setVisible(shown)
        self._labels[field].setVisible(shown)


def _described(features: str) -> str:
    part, _, name = features.partition("/")
    return _WHAT.get(part, "{}").format(name.removeprefix("X_")) or features
