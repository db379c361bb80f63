"""One command a method, generated from its fields and from what its kind runs on."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import App, Group, Parameter

from ..core.method import Method, parameters
from ..errors import BadInput, ReferenceNeeded
from ..methods import methods
from .pages import shown_range
from .proportions import merged_pairs, tell_reference
from .terminal import Progress

__all__ = ["add_methods"]

INPUTS = Group.create_ordered("On what")
SETTINGS = Group.create_ordered("How")
KEYWORD = inspect.Parameter.KEYWORD_ONLY


def add_methods(app: App, kind: str, on: str = "") -> None:
    """Give the app of a kind one command for each of its methods; ``on`` names what they run on, if not the kind."""
    for name, found in methods(kind).items():
        app.command(_command(on or kind, found), name=name)


def _command(kind: str, found: type[Method]) -> Callable[..., None]:
    """Return a function whose signature says everything that the method's fields say."""
    settings = {p.name: p for p in parameters(found)}
    inputs = _inputs(kind)

    def command(section: Path, *, out: Path | None = None, **given: Any) -> None:
        chosen = found(**{name: given[name] for name in settings if name in given})
        _run(kind, chosen, section, {name: given.get(name, p.default) for name, p in inputs.items()}, out)

    shown = [_section_parameter(), *inputs.values(), _out_parameter()]
    shown += [_setting(p) for p in settings.values()]
    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in shown}
    command.__name__ = found.name.replace("-", "_")
    command.__doc__ = inspect.getdoc(found)
    return command


def _section_parameter() -> inspect.Parameter:
    hint = Annotated[Path, Parameter(help="The saved section, a SpatialData store.", group=INPUTS)]
    return inspect.Parameter("section", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=hint)


def _out_parameter() -> inspect.Parameter:
    text = "Save to this new store, and leave SECTION as it is."
    return inspect.Parameter(
        "out", KEYWORD, default=None, annotation=Annotated[Path | None, Parameter(help=text, group=INPUTS)]
    )


def _setting(p: Any) -> inspect.Parameter:
    allowed = "" if p.choices else shown_range(p)
    text = p.help + (f" ({allowed})" if allowed else "")
    hint = Annotated[p.type, Parameter(help=text, group=SETTINGS)]
    return inspect.Parameter(p.name, KEYWORD, default=p.default, annotation=hint)


def _inputs(kind: str) -> dict[str, inspect.Parameter]:
    """Return the options that say what a kind runs on, from the fields of its selection."""
    from ..session.selection import _KINDS

    chosen = _KINDS[kind]
    hints, helps = get_type_hints(chosen), _field_helps(inspect.getdoc(chosen) or "")
    made = {}
    for field in fields(chosen):
        if field.name == "merged":
            made["merge"] = _merge_option(helps["merged"])
            continue
        required = field.default is MISSING
        text = helps.get(field.name, "") + (" Found by itself where only one fits." if required else "")
        hint = hints[field.name]
        hint = Annotated[
            hint | None if required else hint,
            Parameter(help=text, group=INPUTS, negative_iterable=(), consume_multiple=kind == "stack"),
        ]
        default = None if required else field.default
        made[field.name] = inspect.Parameter(field.name, KEYWORD, default=default, annotation=hint)
    return made


def _merge_option(text: str) -> inspect.Parameter:
    """Return the option of what pairs say in a selection, as a person writes it."""
    said = f'{text.removesuffix(".")}: --merge "TYPE=NAME", as often as needed; or --merge suggested.'
    hint = Annotated[tuple[str, ...], Parameter(help=said, group=INPUTS, negative_iterable=())]
    return inspect.Parameter("merge", KEYWORD, default=(), annotation=hint)


def _field_helps(doc: str) -> dict[str, str]:
    """Read the numpydoc section Parameters: {name: what it is}."""
    body = doc.partition("Parameters\n----------\n")[2]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in body.splitlines():
        if re.match(r"^\w+(, \w+)*$", line):
            names = line.split(", ")
        elif line.startswith("    "):
            found |= {name: f"{found.get(name, '')} {line.strip()}".strip() for name in names}
        elif line.strip():
            break
    return found


# running ---------------------------------------------------------------------------------------


def _run(kind: str, chosen: Method, section: Path, given: Mapping[str, Any], out: Path | None) -> None:
    from ..session import Session, run, selection_from

    store = _store(section, out)
    progress = Progress()
    saved = False
    try:
        session = Session.open_store(store)
        try:
            values = _completed(kind, session.document, dict(given), getattr(chosen, "needs", frozenset()))
            if kind == "deconvolution":
                words, named = values.pop("merge"), bool(values["reference"])
                merged = tell_reference(session.document, values, words, progress) if named else merged_pairs(words)
                values["merged"] = merged
            line = run(session, chosen, selection_from(kind, values), progress)
            session.save()
            saved = True
        except ReferenceNeeded as error:
            raise BadInput(f"{chosen.title} needs a single-cell reference.", "Give --reference FILE.h5ad.") from error
        finally:
            session.close()
    finally:
        progress.clear()
        if out is not None and not saved:
            shutil.rmtree(store, ignore_errors=True)
    print(line)
    print(f"Saved in '{store}', as step {session.position} of its history.")


def _store(section: Path, out: Path | None) -> Path:
    """Return the store to work on: the section itself, or a copy of it with its history."""
    if not section.exists():
        raise BadInput(f"There is no section '{section}'.", "Check the path.")
    if not (section / "zarr.json").is_file() and not (section / ".zgroup").is_file():
        raise BadInput(
            f"'{section.name}' is not a SpatialData store.",
            f"Make one first: napari-spatialml convert {section} --out section.zarr.",
        )
    if out is None:
        return section
    if out.exists():
        raise BadInput(f"'{out}' is there already.", "Choose another name, or move it away first.")
    shutil.copytree(section, out)
    return out


def _completed(kind: str, document: Any, given: dict[str, Any], needs: frozenset[str]) -> dict[str, Any]:
    """Fill in what only one thing fits; else say what there is to choose from."""
    moving: tuple[str, list[str]] = ("coordinate system with landmarks", sorted(document.attribute("landmarks", {})))
    if "landmarks" not in needs and kind == "registration":
        moving = ("moving coordinate system", [s for s in document.coordinate_systems() if s != given["fixed"]])
    possible: dict[str, tuple[str, list[str]]] = {
        "image": ("image", list(document.names("images"))),
        "table": ("table", _tables(document)),
        "moving": moving,
    }
    for name, value in given.items():
        if value is not None:
            if isinstance(value, Path):
                given[name] = str(value)
            continue
        if name == "region":
            continue
        if name == "systems":
            raise BadInput(
                "A stack needs its sections.", "Give --systems A B C, the coordinate systems in their order."
            )
        what, found = possible[name]
        if len(found) != 1:
            listed = ", ".join(f"'{n}'" for n in found) or "none"
            raise BadInput(f"The section has {len(found)} possible {what}s: {listed}.", f"Choose one with --{name}.")
        given[name] = found[0]
    if kind == "registration":
        _complete_sides(document, given, needs)
    if kind == "deconvolution" and given["reference"]:
        from ..session.references import whole_place

        given["reference"] = whole_place(given["reference"])
    return given


def _complete_sides(document: Any, given: dict[str, Any], needs: frozenset[str]) -> None:
    """Choose the image or the table of a side, where the method needs one and only one lies there."""
    images: dict[str, Any] = {n: document.placed(n) for n in document.names("images")}
    for system in {given["moving"], given["fixed"]} - {s for placed in images.values() for s in placed}:
        images |= {n: (system,) for n in _pixels(document, system)}
    tables = {t: _systems(document, t) for t in _tables(document)}
    for need, option, names in (("image", "image", images), ("points", "points", tables)):
        for side, other in (("moving", "fixed"), ("fixed", "moving")):
            if need in needs and not given[f"{side}_{option}"]:
                # what was moved before lies in both systems, and belongs to the moving side
                own = [n for n, at in names.items() if given[side] in at]
                found = own if side == "moving" else [n for n in own if given[other] not in names[n]]
                if len(found) != 1:
                    listed = ", ".join(f"'{n}'" for n in found) or "none"
                    raise BadInput(
                        f"'{given[side]}' has {len(found)} possible {option} to register by: {listed}.",
                        f"Choose one with --{side}-{option}.",
                    )
                given[f"{side}_{option}"] = found[0]


def _pixels(document: Any, system: str) -> list[str]:
    """Return what shows the tissue where no image lies: labels of pixels, such as those of ion images."""
    from ..session.side_images import pictures_in

    return [n for n in pictures_in(document, system) if n in document.names("labels")]


def _systems(document: Any, table: str) -> set[str]:
    return {s for e in document.regions(table) for s in document.placed(e)}


def _tables(document: Any) -> list[str]:
    """Return the tables that annotate something, those of spots, bins and pixels first."""
    own = {f"{name}_table" for name in document.attribute("segmentations", {})}
    found = [t for t in document.names("tables") if document.annotated(t)]
    return [t for t in found if t not in own] or found
