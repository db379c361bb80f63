"""A form shows what a method's fields say, and gives back exactly what it was given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QLocale, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QLabel

from napari_spatialml import widgets
from napari_spatialml.core.method import Advanced, Interval, Method, Unit, method, parameters
from napari_spatialml.errors import BadInput
from napari_spatialml.methods import kinds, methods
from napari_spatialml.widgets.form import MethodForm, field_for, help_for
from napari_spatialml.widgets.hand import length_field
from napari_spatialml.widgets.style import rich

REGISTRY = [cls for kind in kinds() for cls in methods(kind).values()]


class Probe(Method):
    """The kind of the methods of these tests."""

    kind = "probe"


@method(title="Everything")
class Everything(Probe):
    """One parameter of each type."""

    n_domains: Annotated[int, Interval(ge=2, le=100)] = 7
    """Number of domains."""
    radius_um: Annotated[float, Interval(gt=0), Unit("µm")] = 100.0
    """Neighbours are the cells within this ``distance``."""
    share: Annotated[float, Interval(ge=0, lt=1)] = 0.25
    model: Literal["auto", "full_rank", "diagonal"] = "auto"
    order: Literal[1, 2, 3] = 2
    smooth: bool = True
    channel: str = ""
    note: str | None = None
    weights: Path | None = None
    reference: Path = Path("reference.h5ad")
    output_folder: str = "out"
    genes: tuple[str, ...] = ()
    levels: tuple[int, ...] = (1, 2)
    width: Annotated[float | None, Interval(gt=0), Unit("µm")] = None
    size: int | float = 3
    seed: Annotated[int, Interval(ge=0), Advanced()] = 0
    kernel: Annotated[Literal["flat", "round"] | None, Advanced()] = None
    steps: Annotated[int | None, Interval(ge=1), Advanced()] = 10


@method(title="Ordered")
class Ordered(Probe):
    """Two parameters that must be in order."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise BadInput(f"'low' is {self.low:g}, not below 'high'.", "Make 'low' smaller.")


OTHER: dict[str, Any] = {
    "n_domains": 12,
    "radius_um": 0.012345678901234567,
    "share": 0.1 + 0.2,
    "model": "full_rank",
    "order": 3,
    "smooth": False,
    "channel": "DAPI",
    "note": "by hand",
    "weights": Path("folder/net.pt"),
    "reference": Path("other.h5ad"),
    "output_folder": "elsewhere",
    "genes": ("Pcp4", "Mbp"),
    "levels": (4, 8, 16),
    "width": 1e-7,
    "size": 2.5,
    "seed": 2**40 + 1,
    "kernel": "round",
    "steps": None,
}


@pytest.fixture
def form(qtbot) -> MethodForm:
    made = MethodForm(Everything)
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_new_form_gives_the_defaults(form):
    assert form.value() == Everything()
    assert form.is_default()
    assert not form.reset_button.isEnabled()


def test_what_a_form_is_given_comes_out_unchanged(form):
    given_method = Everything(**OTHER)
    form.set_value(given_method)
    assert form.value() == given_method
    assert form.value().settings() == given_method.settings()
    assert not form.is_default()
    form.reset()
    assert form.value() == Everything()


@pytest.mark.parametrize("name", list(OTHER))
def test_each_parameter_is_set_alone_and_tells_of_it_once(form, qtbot, name):
    told = []
    form.changed.connect(lambda: told.append(form.value()))
    form.set_value(Everything(**{name: OTHER[name]}))
    assert told == [Everything(**{name: OTHER[name]})]
    assert form.reset_button.isEnabled()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    radius=st.floats(min_value=0, exclude_min=True, max_value=1e300),
    seed=st.integers(min_value=0, max_value=2**80),
    share=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_numbers_are_never_rounded(form, radius, seed, share):
    form.set_value(Everything(radius_um=radius, seed=seed, share=share))
    made = form.value()
    assert (made.radius_um, made.seed, made.share) == (radius, seed, share)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.floats(min_value=1e-6, max_value=1e6), steps=st.lists(st.sampled_from([1, -1, 10, -10]), max_size=8))
def test_stepping_stays_in_the_range(form, start, steps):
    field = form.fields["radius_um"]
    field.set_value(start)
    for step in steps:
        field.stepBy(step)
        assert field.value() > 0


@pytest.mark.parametrize("start", [100, 7, 0.05, 1, 2000, 0.3])
def test_a_step_up_and_a_step_down_undo_each_other(form, start):
    field = form.fields["radius_um"]
    field.set_value(start)
    field.stepBy(1)
    above = field.value()
    assert start < above <= 1.2 * start
    field.stepBy(-1)
    assert field.value() == pytest.approx(start)


def test_a_whole_number_steps_by_one_and_stops_at_its_bounds(form):
    field = form.fields["n_domains"]
    field.stepBy(1)
    assert field.value() == 8
    field.stepBy(-50)
    assert field.value() == 2
    assert field.stepEnabled() == QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
    assert isinstance(field.value(), int)


def test_typing_an_impossible_number_is_told_before_and_mended_after(form, qtbot):
    field = form.fields["n_domains"]
    field.lineEdit().selectAll()
    qtbot.keyClicks(field.lineEdit(), "500")
    with pytest.raises(BadInput, match="≤ 100"):
        form.value()
    qtbot.keyClick(field.lineEdit(), Qt.Key.Key_Return)
    assert form.value().n_domains == 100
    field.lineEdit().setText("many")
    with pytest.raises(BadInput, match="many"):
        form.value()
    field.clearFocus()
    field.editingFinished.emit()
    assert form.value().n_domains == 100


@pytest.mark.parametrize("typed", ["2,5", "2.5", "2.5 µm", " 2.5µm ", "25e-1"])
def test_a_number_is_read_with_comma_or_point_with_or_without_unit(form, typed):
    form.fields["radius_um"].lineEdit().setText(typed)
    assert form.value().radius_um == 2.5


def test_parameters_that_do_not_go_together_raise(qtbot):
    form = MethodForm(Ordered)
    qtbot.addWidget(form)
    form.fields["low"].set_value(5.0)
    with pytest.raises(BadInput, match="not below"):
        form.value()


def test_a_form_refuses_another_method(form):
    with pytest.raises(BadInput, match="Ordered"):
        form.set_value(Ordered())


def test_advanced_parameters_wait_under_more(form):
    assert not form.fields["seed"].isVisible()
    assert form.fields["n_domains"].isVisible()
    form.more.setChecked(True)
    assert form.fields["seed"].isVisible()


def test_the_unit_is_a_suffix_and_the_help_a_tooltip(form):
    assert form.fields["radius_um"].lineEdit().text() == "100 µm"
    assert "<code>distance</code>" in form.fields["radius_um"].toolTip()
    assert "&gt; 0 µm" in form.fields["radius_um"].toolTip()
    labels = {label.text() for label in form.findChildren(QLabel)}
    assert {"Number of domains", "Radius"} <= labels


def test_automatic_hides_the_number_and_gives_none(form):
    field = form.fields["width"]
    assert form.value().width is None
    assert not field.inner.isVisible()
    field.automatic.setChecked(False)
    assert field.inner.isVisible()
    assert form.value().width > 0


def test_the_wheel_over_an_unfocused_field_changes_nothing(form, qtbot):
    from qtpy.QtCore import QPoint, QPointF
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    for name in ("radius_um", "model"):
        field = form.fields[name]
        field.clearFocus()
        event = QWheelEvent(
            QPointF(5, 5), QPointF(5, 5), QPoint(0, 0), QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(field, event)
    assert form.value() == Everything()


def test_a_type_without_an_editor_is_an_error_of_the_method():
    @method(title="Odd")
    class Odd(Probe):
        odd: dict = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="odd"):
        field_for(parameters(Odd)[0])


def test_a_doi_becomes_a_link():
    assert 'href="https://doi.org/10.1038/nbt.4260"' in rich("Zhu et al. doi:10.1038/nbt.4260.")
    assert 'href="https://doi.org/10.1038/nbt.4260"' in rich("https://doi.org/10.1038/nbt.4260")
    assert "<script>" not in rich("<script>alert(1)</script>")


@pytest.mark.parametrize("cls", REGISTRY, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_every_method_has_a_form_that_fits_the_dock(cls, qtbot):
    form = MethodForm(cls)
    qtbot.addWidget(form)
    form.more.setChecked(True)
    assert form.value() == cls()
    assert form.minimumSizeHint().width() <= 380
    form.resize(380, form.sizeHint().height())
    form.show()
    for p in parameters(cls):
        assert p.help, f"{p.name} has no help"
        assert help_for(p) == form.fields[p.name].toolTip()
        if p.choices:
            assert isinstance(form.fields[p.name], QComboBox)
        if p.type is bool:
            assert isinstance(form.fields[p.name], QCheckBox)
    for label in form.findChildren(QLabel):
        if label.isVisible():
            longest = max(label.fontMetrics().horizontalAdvance(word) for word in label.text().split())
            assert longest <= label.width(), f"'{label.text()}' is clipped"
            assert label.heightForWidth(label.width()) <= label.height() + 2, f"'{label.text()}' is clipped"


# decimal numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en_US", "de_DE", "fr_CH", "C"])
@pytest.mark.parametrize("typed, meant", [("0,5", 0.5), ("0.5", 0.5), ("1.5", 1.5), ("12,25", 12.25), ("1000", 1000.0)])
def test_a_decimal_comma_is_never_dropped_whatever_the_language(show, qtbot, language, typed, meant):
    before = QLocale()
    QLocale.setDefault(QLocale(language))
    try:
        field = show(length_field(4.0))
        field.setDecimals(2)
        field.selectAll()
        qtbot.keyClicks(field, typed)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert field.value() == meant and field.text() == f"{meant:.2f} µm"
    finally:
        QLocale.setDefault(before)


def test_no_field_reads_decimals_by_the_language_of_the_computer():
    sources = Path(widgets.__file__).parent.rglob("*.py")
    makers = [p.name for p in sources if re.search(r"QDoubleSpinBox\(\)", p.read_text(encoding="utf8"))]
    assert makers == [], "use number.DecimalField: Qt's own drops a comma, or a point, without a word"
