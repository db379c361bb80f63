"""Keys and mouse of the hand's tools as users of other programs know them. Data only.

References
----------
Keys of napari: ``napari.utils.shortcuts``. Of the Cellpose GUI: its help window. Of QuPath: the accelerators
of its tools, https://qupath.readthedocs.io.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

__all__ = ["PRESETS", "Gesture", "Preset", "key_words"]


@dataclass(frozen=True)
class Gesture:
    """A button that, with a key held, is another tool than the one in the hand.

    Parameters
    ----------
    button
        1 left, 2 right.
    held
        "Alt", "Control", "Shift", or "".
    tool
        The tool that takes the gesture.
    within
        Only with these tools in the hand.
    """

    button: int
    held: str
    tool: str
    within: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """Keys and mouse, as users of one program know them.

    Parameters
    ----------
    name
        The program.
    sentence
        What is special about it.
    first
        The tool that the key for correcting takes up first.
    tools, acts
        The keys of each tool, and of what acts at once; the first is shown. As napari writes them.
    gestures
        What the mouse does besides.
    """

    name: str
    sentence: str
    first: str
    tools: Mapping[str, tuple[str, ...]]
    acts: Mapping[str, tuple[str, ...]]
    gestures: tuple[Gesture, ...] = field(default=())

    def tool_for(self, button: int, held: Collection[str], in_hand: str) -> str:
        """Return the tool that takes a gesture in place of the one in the hand; "" for none."""
        for gesture in self.gestures:
            wanted = {gesture.held} - {""}
            if gesture.button == button and wanted == set(held) and in_hand in gesture.within:
                return gesture.tool
        return ""


_OURS = {
    "choose": ("Shift-C",),
    "paint": ("Shift-P",),
    "draw": ("Shift-D",),
    "erase": ("Shift-E",),
    "delete": ("Shift-X",),
    "merge": ("Shift-M",),
    "split": ("Shift-S",),
    "grow": ("Shift-G",),
    "shrink": ("Shift-H",),
    "smooth": ("Shift-O",),
    "fill": ("Shift-F",),
    "accept": ("Shift-A",),
}
_ACTS = {
    "grow": ("=",),
    "shrink": ("-",),
    "finish": ("Enter",),
    "take-away": ("Delete", "Backspace"),
}
_BY_CLICK = ("choose", "draw", "delete", "merge", "split", "grow", "shrink", "smooth", "fill", "accept", "expand")

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "napari",
            "The digits and letters of napari's labels; every tool is on Shift and a letter too.",
            "paint",
            {
                **_OURS,
                "choose": ("6", "Z", "Shift-C"),
                "paint": ("2", "P", "Shift-P"),
                "erase": ("1", "Shift-E"),
                "draw": ("3", "Shift-D"),
                "fill": ("4", "F", "Shift-F"),
            },
            _ACTS,
        ),
        Preset(
            "Cellpose",
            "Right-click begins an outline, and coming back to its start ends it; Ctrl+click deletes; "
            "Alt+click merges with the cell clicked last.",
            "choose",
            _OURS,
            {**_ACTS, "smaller": (",",), "larger": (".",), "hide": ("X",), "outlines": ("Z",)},
            (
                Gesture(2, "", "draw", _BY_CLICK),
                Gesture(1, "Control", "delete", _BY_CLICK),
                Gesture(1, "Alt", "merge", _BY_CLICK),
            ),
        ),
        Preset(
            "QuPath",
            "B is the brush, which takes away with Alt; P draws point by point or freehand; M moves the view.",
            "choose",
            {**_OURS, "choose": ("M", "Shift-C"), "paint": ("B", "Shift-P"), "draw": ("P", "Shift-D")},
            _ACTS,
            (Gesture(1, "Alt", "erase", ("paint",)),),
        ),
    )
}
"""The presets by name; the first is that of a new user."""

_WORDS = {"Control": "Ctrl", "Escape": "Esc", "-": "−"}


def key_words(key: str) -> str:
    """Return a key as it is shown: "Shift+M" for "Shift-M"."""
    parts = [key] if key == "-" else key.split("-")
    return "+".join(_WORDS.get(p, p) for p in parts)
