"""What is installed and what works on this machine, and what to do about what does not.

Nothing heavy is imported here: torch, Qt and OpenGL are tried in processes of their own, so that a
driver that crashes or hangs cannot take the doctor with it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from . import __version__

__all__ = ["Finding", "diagnose", "render"]

NAME = "napari-spatialml"
OLDEST = (3, 11)
ENOUGH_GB = 5.0
PROBE_SECONDS = 90.0

TORCH_PROBE = """
import json, torch
cuda = torch.cuda.is_available()
mps = getattr(torch.backends, "mps", None)
name = torch.cuda.get_device_name(0) if cuda else ""
print(json.dumps({"cuda": cuda, "mps": bool(mps and mps.is_available()), "name": name,
                  "threads": torch.get_num_threads()}))
"""

QT_PROBE = """
import json
from qtpy import API_NAME, QT_VERSION
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QApplication
app = QApplication([])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
found = {"qt": f"{API_NAME}, Qt {QT_VERSION}, on {app.platformName()}", "gl": ""}
if context.create() and context.makeCurrent(surface):
    from OpenGL import GL
    version, renderer = GL.glGetString(GL.GL_VERSION), GL.glGetString(GL.GL_RENDERER)
    if version and renderer:
        found["gl"] = f"{version.decode()} on {renderer.decode()}"
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "missing", "problem"]
    detail: str
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Look at everything that the package needs.

    Returns
    -------
    list of Finding
        In the order in which a person would check. A finding that is not "ok" says what to do.

    Notes
    -----
    Takes a few seconds: torch and Qt are started once each.
    """
    core, extras = _requirements()
    findings = [_python(), _ours(), *(_package(name, specifier, "") for name, specifier in core)]
    findings += [_package(name, specifier, extra) for extra, name, specifier in extras]
    findings += [_torch(), *_screen(), _weights(), *_state()]
    return findings


def render(findings: list[Finding]) -> str:
    """Return the findings as text: one line each, and under it what to do."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<8} {finding.name:<{width}}  {finding.detail}".rstrip())
        if finding.remedy:
            lines.append(f"{'':<8} {'':<{width}}  → {finding.remedy}")
    counts = {status: sum(finding.status == status for finding in findings) for status in ("missing", "problem")}
    told = [f"{count} {status}" for status, count in counts.items() if count]
    lines.append(", ".join(told) + "." if told else "Everything is in place.")
    return "\n".join(lines)


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info >= OLDEST:
        return Finding("Python", "ok", detail)
    return Finding("Python", "problem", detail, "Install Python 3.11 or newer and make the environment again.")


def _ours() -> Finding:
    try:
        installed = metadata.version(NAME)
    except metadata.PackageNotFoundError:
        remedy = f'Run: pip install "{NAME}[all]", so that napari finds the plugin.'
        return Finding(NAME, "problem", f"{__version__}, run from its source without being installed", remedy)
    if installed != __version__:
        detail = f"the source says {__version__}, but {installed} is installed"
        return Finding(NAME, "problem", detail, "Install it again.")
    return Finding(NAME, "ok", installed)


# -- packages -----------------------------------------------------------------------------------


def _requirements() -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Return (name, specifier) of the core and (extra, name, specifier) of the extras, as installed."""
    try:
        declared = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        return [], []
    core, extras = [], []
    for line in declared:
        requirement, _, marker = line.partition(";")
        named = re.match(r"\s*([A-Za-z0-9._-]+)\s*(\[[^\]]*\])?\s*(.*)", requirement)
        if named is None or named[1] == NAME:
            continue
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if extra is None:
            core.append((named[1], named[3].strip(" ()")))
        elif extra[1] not in ("all", "dev", "test", "qt"):  # Qt is tried for real, below
            extras.append((extra[1], named[1], named[3].strip(" ()")))
    return core, extras


def _package(name: str, specifier: str, extra: str) -> Finding:
    wanted = f'pip install "{NAME}[{extra}]"' if extra else f'pip install "{name}{specifier}"'
    shown = f"{name} ({extra})" if extra and extra != name else name
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(shown, "missing", "not installed", f"Run: {wanted}")
    if _satisfies(version, specifier):
        return Finding(shown, "ok", version)
    return Finding(shown, "problem", f"{version}, but {specifier} is needed", f'Run: pip install "{name}{specifier}"')


def _satisfies(version: str, specifier: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:
        return True  # only presence can be told then
    return SpecifierSet(specifier).contains(version, prereleases=True)


# -- what has to be tried -----------------------------------------------------------------------


def _probe(code: str, *, before: tuple[str, ...] = (), seconds: float = PROBE_SECONDS) -> tuple[dict[str, Any], str]:
    """Run code in a Python of its own; return what it printed as JSON, and else the reason."""
    command = [*before, sys.executable, "-c", code]
    posix = os.name == "posix"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=posix
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # The whole group: behind a virtual screen's script stand two more processes.
        if posix:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
        return {}, f"no answer within {seconds:g} s"
    if process.returncode < 0:
        return {}, f"crashed with signal {-process.returncode}"
    # A virtual screen's script may lead both streams into one, with Qt's remarks in it.
    answer = next((line for line in reversed(out.splitlines()) if line.startswith("{")), "")
    if process.returncode == 0 and answer:
        return dict(json.loads(answer)), ""
    reason = (err.strip() or out.strip()).splitlines()
    return {}, reason[-1] if reason else f"ended with status {process.returncode}"


def _torch() -> Finding:
    name = "Computing device"
    try:
        metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", "torch is not installed", f'Run: pip install "{NAME}[torch]"')
    found, reason = _probe(TORCH_PROBE)
    if reason:
        return Finding(name, "problem", f"torch does not start: {reason}", "Install torch again for this machine.")
    if found["cuda"]:
        return Finding(name, "ok", f"CUDA: {found['name']}")
    if found["mps"]:
        return Finding(name, "ok", "Apple GPU (MPS)")
    return Finding(name, "ok", f"CPU, {found['threads']} threads; torch sees no GPU")


def _screen() -> list[Finding]:
    """Look at the display, the virtual screen, Qt and OpenGL."""
    linux = sys.platform.startswith("linux")
    display = not linux or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    xvfb = shutil.which("Xvfb") if linux else None
    virtual = shutil.which("xvfb-run") if xvfb else None
    findings = []
    if display:
        findings.append(Finding("Display", "ok", os.environ.get("DISPLAY") or platform.system()))
    else:
        remedy = "Log in with a screen, or put 'xvfb-run -a' before the command to draw on a virtual one."
        findings.append(Finding("Display", "missing", "no display here, so no window can be shown", remedy))
    if xvfb:
        findings.append(Finding("Xvfb", "ok", xvfb))
    elif linux:
        remedy = "On Debian or Ubuntu: sudo apt-get install -y xvfb xauth libgl1-mesa-dri"
        findings.append(Finding("Xvfb", "missing", "no virtual screen for tests and pictures", remedy))
    return [*findings, *_window(display, virtual)]


def _window(display: bool, virtual: str | None) -> list[Finding]:
    if not display and virtual is None:
        return [Finding("Qt and OpenGL", "missing", "not tried, for want of a display", "See Display and Xvfb above.")]
    before = () if display or virtual is None else (virtual, "-a", "-s", "-screen 0 1280x1024x24")
    found, reason = _probe(QT_PROBE, before=before)
    if reason:
        remedy = f'Run: pip install "{NAME}[qt]"; on Linux also: python3 start.py setup, for the system libraries.'
        missing = "No Qt bindings" in reason or "QtBindingsNotFound" in reason or "No module named" in reason
        return [Finding("Qt and OpenGL", "missing" if missing else "problem", reason, remedy)]
    qt = Finding("Qt", "ok", found["qt"])
    if not found["gl"]:
        remedy = "Install a graphics driver, or Mesa (libgl1-mesa-dri) to draw in software."
        return [qt, Finding("OpenGL", "problem", "no context could be made", remedy)]
    place = "" if display else ", on a virtual screen"
    return [qt, Finding("OpenGL", "ok", found["gl"] + place)]


# -- files --------------------------------------------------------------------------------------


def _weights() -> Finding:
    """Look for Cellpose's weights where Cellpose itself looks."""
    chosen = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    folder = Path(chosen) if chosen else Path.home() / ".cellpose" / "models"
    # Size models and lists lie in the same folder; a network's weights have no ending.
    try:
        found = sorted(file.name for file in folder.iterdir() if _is_network(file)) if folder.is_dir() else []
    except OSError as error:
        remedy = "Make the folder readable for you, or set CELLPOSE_LOCAL_MODELS_PATH to another."
        return Finding("Cellpose weights", "problem", f"{folder}: {error.strerror or error}", remedy)
    if found:
        return Finding("Cellpose weights", "ok", f"{', '.join(found)} in {folder}")
    remedy = (
        f"Copy 'cyto3' (Cellpose 3) or 'cpsam' (Cellpose 4) into {folder}, or name a weights file when you segment. "
        "The method 'watershed' needs none."
    )
    return Finding("Cellpose weights", "missing", f"none in {folder}", remedy)


def _is_network(file: Path) -> bool:
    return file.is_file() and file.suffix in ("", ".pt", ".pth") and file.stat().st_size > 1_000_000


def _state() -> list[Finding]:
    """Look whether the folder of journals can be written, and has room."""
    try:
        from platformdirs import user_state_path
    except ImportError:
        return [Finding("State folder", "problem", "not known without platformdirs", "Run: pip install platformdirs")]
    folder = user_state_path(NAME)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    findings = []
    try:
        with tempfile.TemporaryFile(dir=there):
            findings.append(Finding("State folder", "ok", str(folder)))
    except OSError as error:
        remedy = f"Make {there} writable for you; without it nothing survives a crash."
        findings.append(Finding("State folder", "problem", f"{folder}: {error.strerror or error}", remedy))
    free = shutil.disk_usage(there).free / 1e9
    detail = f"{free:.1f} GB free at {there}"
    enough = free >= ENOUGH_GB
    findings.append(Finding("Disk", "ok", detail) if enough else Finding("Disk", "problem", detail, "Free some space."))
    return findings
