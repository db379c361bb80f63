"""The skeleton of every step: what, on what, how, run, result, correct. It knows no document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..core.method import Method
from ..core.report import Report
from ..errors import BadInput
from .chooser import MethodChooser
from .form import MethodForm
from .messages import Message, MessageLine, tell
from .progress import Progress, time_left
from .progress_row import ProgressBar
from .runner import Runner, State
from .style import MARGIN, PANEL_WIDTH, SPACING, Heading, Quiet, Rows, accent, quiet_button, tooltip

__all__ = ["MethodPanel"]


class MethodPanel(QWidget):
    """One step of the work: choose a method, set it, run it, read the result, correct it.

    Parameters
    ----------
    kind
        The kind of the methods; the key of the panel's run.
    methods
        The method classes to choose from. One whose package is missing is listed, but cannot be chosen.
    job
        Gathers the inputs and returns the function that runs in the thread. It may raise our errors.
    done
        Takes the result, stores it, and returns the line that tells it.
    title, sentence
        The name of the step and the one sentence that says what it does.
    inputs, correct
        The widgets of the inputs and of the hand's tools.
    """

    method_changed = Signal()
    """Another method was chosen or a parameter changed."""
    finished = Signal(object)
    """A result was stored."""

    def __init__(
        self,
        kind: str,
        methods: Sequence[type[Method]],
        *,
        job: Callable[[Method], Callable[[Report], Any]],
        done: Callable[[Any], str],
        title: str = "",
        sentence: str = "",
        inputs: QWidget | None = None,
        correct: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.kind, self.title = kind, title or kind.replace("-", " ").capitalize()
        self._job, self._done = job, done
        self._classes = tuple(methods)
        self._forms: dict[int, MethodForm] = {}
        self._waiting_for = ""
        self.runner = Runner(self)
        self.runner.changed.connect(self._follow_state)
        self._make_parts()
        self._lay_out(sentence)
        self.set_inputs(inputs)
        self.set_correct(correct)
        self._choose(self.methods.currentIndex())
        self._follow_state()

    @property
    def state(self) -> State:
        """Return "idle", "running" or "stopping"."""
        return self.runner.state

    @property
    def form(self) -> MethodForm | None:
        """The form of the chosen method; None where no method can be chosen."""
        return self._forms.get(self.methods.currentIndex())

    def method(self) -> Method:
        """Return the chosen method with its parameters.

        Raises
        ------
        BadInput
            When a parameter is not possible, or no method can be chosen.
        """
        if self.form is None:
            raise BadInput(f"No {self.kind} method is installed.", "Install one; its tooltip says how.")
        return self.form.value()

    def set_method(self, method: Method) -> None:
        """Choose a method and show its parameters."""
        if type(method) not in self._classes:
            raise BadInput(f"'{type(method).title}' is not offered here.", f"Choose one of the {self.kind} methods.")
        self.methods.setCurrentIndex(self._classes.index(type(method)))
        assert self.form is not None
        self.form.set_value(method)

    def set_inputs(self, widget: QWidget | None) -> None:
        """Put a widget into the place of the inputs."""
        _fill(self._inputs, widget)

    def set_correct(self, widget: QWidget | None) -> None:
        """Put a widget into the place of the hand's tools; without one its heading is hidden too."""
        _fill(self._correct, widget)
        self._correct_heading.setVisible(widget is not None)

    def set_before_run(self, widget: QWidget) -> None:
        """Put a widget between the form and the Run button."""
        _fill(self._before_run, widget)

    def set_waiting_for(self, reason: str) -> None:
        """Say what must be there before a run, as the next step to do; empty text makes a run possible."""
        self._waiting_for = reason
        if reason:
            self.message.show_message(Message("info", reason))
        elif self.message.message is not None and self.message.message.level == "info":
            self.message.show_message(None)
        self._follow_state()

    def run(self, *, replace: bool = False) -> None:
        """Run the chosen method. What goes wrong is told under the button.

        Parameters
        ----------
        replace
            Take the place of a run that is on its way, as after each correction; else nothing happens
            while one runs.
        """
        if self._waiting_for or (self.state != "idle" and not replace):
            return
        if not replace:
            self.message.show_message(None)
        try:
            method = self.method()
            type(method).check_installed()
            work = self._job(method)
            self._bar.wait()
            self._share.setText("")
            self.runner.run(
                work,
                on_result=self._on_result,
                on_error=self._on_error,
                on_progress=self._on_progress,
                on_stopped=self._on_stopped,
                title=f"{self.title}: {type(method).title}",
                key=self.kind,
                replace=replace,
            )
        except Exception as error:  # everything that can go wrong is told in this one place
            self._on_error(error)

    def stop(self) -> None:
        """Ask the run to stop."""
        self.runner.stop()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs."""
        self.runner.stop()
        super().closeEvent(event)

    def _make_parts(self) -> None:
        self._make_help()
        self._make_run()
        self.methods = MethodChooser(self._classes)
        self.methods.currentIndexChanged.connect(self._choose)
        self._inputs, self._form, self._correct = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        self._before_run = QVBoxLayout()
        self._correct_heading = Heading("Correct")

    def _make_help(self) -> None:
        self.help_button = QToolButton()
        self.help_button.setText("?")
        self.help_button.setCheckable(True)
        self.help_button.setAccessibleName("About the method")
        self.help_button.setToolTip(tooltip("What the chosen method does, and its paper."))
        self.help_button.toggled.connect(self._show_help)
        quiet_button(self.help_button)
        self.help = Quiet()
        self.help.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.help.setOpenExternalLinks(True)
        self.help.hide()

    def _make_run(self) -> None:
        self.button = QPushButton("Run")
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.setMinimumWidth(84)
        self.button.clicked.connect(lambda _checked=False: self.run() if self.state == "idle" else self.stop())
        self._bar = ProgressBar()
        self._share = QLabel()
        self._step = Quiet()
        self.message, self.notice = MessageLine(), MessageLine()
        self.outcome = QWidget()
        column = QVBoxLayout(self.outcome)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING + 2)
        column.addLayout(self._run_row())
        for part in (self._step, self.message, self.notice):
            column.addWidget(part)

    def _lay_out(self, sentence: str) -> None:
        what = Quiet(sentence)
        what.setVisible(bool(sentence))
        rows = Rows()
        rows.add("Method", self.methods)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        parts = (
            self._head(), what, self._inputs, rows, self.help, self._form, self._before_run, self.outcome,
            self._correct_heading, self._correct,
        )  # fmt: skip
        for part in parts:
            if isinstance(part, QLayout):
                column.addLayout(part)
            else:
                column.addWidget(part)
        column.addStretch(1)
        self.setMaximumWidth(PANEL_WIDTH)

    def _head(self) -> QHBoxLayout:
        name = QLabel(self.title)
        name.setIndent(0)
        font = name.font()
        font.setBold(True)
        name.setFont(font)
        head = QHBoxLayout()
        head.addWidget(name, 1)
        head.addWidget(self.help_button)
        return head

    def _run_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.button)
        row.addWidget(self._bar, 1)
        row.addWidget(self._share)
        row.addStretch(0)
        return row

    def _choose(self, row: int) -> None:
        if row >= 0 and row not in self._forms:
            form = MethodForm(self._classes[row])
            form.changed.connect(self.method_changed)
            self._forms[row] = form
            self._form.addWidget(form)
        for other, form in self._forms.items():
            form.setVisible(other == row)
        self._show_help(self.help_button.isChecked())
        self.method_changed.emit()

    def _show_help(self, shown: bool) -> None:
        row = self.methods.currentIndex()
        if row >= 0:
            cls = self._classes[row]
            self.help.set_docstring(f"{inspect.getdoc(cls) or cls.title}\n\n{cls.citation}")
        self.help.setVisible(shown and row >= 0)

    def _follow_state(self) -> None:
        state = self.state
        self.button.setText({"idle": "Run", "running": "Stop", "stopping": "Stopping…"}[state])
        ready = not self._waiting_for and self.form is not None
        self.button.setEnabled(state == "running" or (state == "idle" and ready))
        if state == "idle":
            accent(self.button)
        else:
            self.button.setStyleSheet("")
        for part in (self._bar, self._share):
            part.setVisible(state != "idle")
        self._step.setVisible(state != "idle" and bool(self._step.text()))

    def _on_progress(self, progress: Progress) -> None:
        self._bar.follow(progress)
        left = time_left(progress.remaining)
        self._share.setText(f"{100 * progress.fraction:.0f} %  {left}" if progress.fraction > 0 else "")
        self._step.setText(progress.message)
        self._step.setVisible(bool(progress.message))

    def _on_result(self, result: Any) -> None:
        self._step.clear()
        line = self._done(result)
        self.message.show_message(Message("ok", line) if line else None)
        self._follow_state()
        self.finished.emit(result)

    def _on_error(self, error: BaseException) -> None:
        self._step.clear()
        self.message.show_message(tell(error))
        self._follow_state()

    def _on_stopped(self) -> None:
        self._step.clear()
        self.message.show_message(Message("info", "Stopped."))
        self._follow_state()


def _fill(place: QVBoxLayout, widget: QWidget | None) -> None:
    while place.count():
        former = place.takeAt(0).widget()
        if former is not None and former is not widget:
            former.setParent(None)
    if widget is not None:
        place.addWidget(widget)
