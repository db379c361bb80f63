"""From the document to napari layers, and from gestures to commands. Knows napari, not Qt."""

from .state import ColourBy, Legend, ViewState

__all__ = ["ColourBy", "Legend", "Presenter", "ViewState"]


def __getattr__(name: str) -> object:
    # late, so that importing the words does not load what draws
    if name == "Presenter":
        from .presenter import Presenter

        return Presenter
    raise AttributeError(name)
