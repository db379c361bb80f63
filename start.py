"""Set napari-spatialml up and run it, with nothing but Python: ``python3 start.py demo``.

Makes a virtual environment beside this file, installs the tested set of packages into it, sees to
the system libraries that Qt and OpenGL need on Linux, and runs what was asked. The second time it
finds everything in place and starts at once. Standard library only; Linux, macOS and Windows.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
CONSTRAINED = ((3, 11), (3, 12))
"""The Pythons that the set in constraints.txt has builds for; others go by the floors of pyproject.toml."""
DECIDES = ("pyproject.toml", "constraints.txt", "napari.yaml", "hatch_build.py", "src/napari_spatialml/__init__.py")
"""Files whose change asks for another installation."""
VARIABLES = """environment variables:
  SPATIALML_VENV         where the virtual environment is made (default: .venv here)
  SPATIALML_TORCH_INDEX  address of another index to take torch from, as for a CPU or CUDA build
  SPATIALML_NO_SYSTEM    set to 1 to leave out the check of system libraries
"""
LIBRARIES = {
    "libgl1": "libGL.so.1",
    "libegl1": "libEGL.so.1",
    "libopengl0": "libOpenGL.so.0",
    "libfontconfig1": "libfontconfig.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libx11-xcb1": "libX11-xcb.so.1",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-image0": "libxcb-image.so.0",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-randr0": "libxcb-randr.so.0",
    "libxcb-render-util0": "libxcb-render-util.so.0",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-xfixes0": "libxcb-xfixes.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
}
"""Debian's package for each library that a Qt window with OpenGL loads."""


class Failure(Exception):
    """Something a person can mend; the message says how."""


def say(text):
    """Print one line about what happens."""
    print(f"[start] {text}", flush=True)


# -- the virtual environment --------------------------------------------------------------------


def venv_folder():
    """Return where the virtual environment is, or will be."""
    return Path(os.environ.get("SPATIALML_VENV") or ROOT / ".venv").expanduser().absolute()


def program(venv, name):
    """Return the path of a program inside the virtual environment."""
    return venv / "Scripts" / f"{name}.exe" if os.name == "nt" else venv / "bin" / name


def stamp(root=ROOT, version=None):
    """Return a hash of everything that decides what is installed."""
    digest = hashlib.sha256(repr(tuple(version or sys.version_info)[:2]).encode())
    for name in DECIDES:
        digest.update(f"\0{name}\0".encode())
        digest.update((Path(root) / name).read_bytes())
    digest.update(str(root).encode())  # an editable install points at this folder
    return digest.hexdigest()


def torch_requirement(root=ROOT, version=None):
    """Return the torch to name in every pip call, so that no package swaps it for another build."""
    if tuple(version or sys.version_info)[:2] not in CONSTRAINED:
        return "torch"
    lines = (Path(root) / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.startswith("torch=="))


def installs(root=ROOT, version=None, index=None):
    """Return the arguments of the two pip calls: torch first, then everything."""
    torch = torch_requirement(root, version)
    constrained = tuple(version or sys.version_info)[:2] in CONSTRAINED
    constraints = ["-c", str(Path(root) / "constraints.txt")] if constrained else []
    source = ["--extra-index-url", index] if index else []
    return [[*source, torch], [*source, torch, *constraints, "-e", f"{root}[all,dev]"]]


def make_venv(venv):
    """Make the virtual environment, or keep the one that is there and works."""
    python = program(venv, "python")
    if python.exists():
        code = "import sys, pip; print(*sys.version_info[:2])"
        found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False).stdout.split()
        if found == [str(part) for part in sys.version_info[:2]]:
            return
        say(f"{venv} is broken or of another Python: making it again.")
    if venv.exists() and any(venv.iterdir()):
        if not (venv / "pyvenv.cfg").exists():
            raise Failure(f"{venv} is not a virtual environment. Move it away, or set SPATIALML_VENV to a new folder.")
        shutil.rmtree(venv)
    say(f"making a virtual environment in {venv}")
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
    if made.returncode:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        detail = (made.stdout + made.stderr).strip().splitlines()[-1:] or ["no message"]
        raise Failure(f"Python could not make it ({detail[0]}). On Debian or Ubuntu: sudo apt-get install {package}")


def install(venv):
    """Install the package with all extras, editable, unless the stamp says that this was done."""
    mark = venv / ".start-stamp"
    wanted = stamp()
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted and program(venv, "python").exists():
        return
    make_venv(venv)
    mark.unlink(missing_ok=True)
    log = venv / "start.log"
    say(f"installing packages, several gigabytes the first time; minutes. Details in {log}")
    with log.open("w", encoding="utf-8") as out:
        for arguments in installs(index=os.environ.get("SPATIALML_TORCH_INDEX")):
            command = [str(program(venv, "python")), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
            out.write(f"$ {' '.join(command)}\n")
            out.flush()
            if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode:
                out.flush()
                raise Failure(f"pip failed: {last_error(log)} See {log}; then run this again.")
    mark.write_text(wanted, encoding="utf-8")
    say("installed.")


def last_error(log):
    """Return the line of pip's log that says why it failed."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "no message")


# -- system libraries and the screen, on Linux --------------------------------------------------


def has_display():
    """Tell whether a window can be shown."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def loads(library):
    """Tell whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages():
    """Return Debian's names of the system packages that Qt and OpenGL would miss here."""
    missing = [package for package, library in LIBRARIES.items() if not loads(library)]
    if not has_display():
        missing += [package for package, name in (("xvfb", "Xvfb"), ("xauth", "xauth")) if not shutil.which(name)]
        if not any(glob.glob(f"/usr/lib*/{place}*_dri.so") for place in ("dri/", "*/dri/")):
            missing.append("libgl1-mesa-dri")
    return missing


def system():
    """See to the system libraries: install them where that is ours to do, else say the line."""
    if not sys.platform.startswith("linux") or os.environ.get("SPATIALML_NO_SYSTEM") == "1":
        return
    missing = missing_packages()
    if not missing:
        return
    line = "apt-get install -y --no-install-recommends " + " ".join(missing)
    if not shutil.which("apt-get"):
        raise Failure(
            f"Qt needs system libraries that are not here; under Debian's names: {' '.join(missing)}. Install them "
            "with this system's package manager, or set SPATIALML_NO_SYSTEM=1 if they are in an unusual place."
        )
    if os.geteuid() != 0:
        raise Failure(f"Qt needs system libraries that are not here. Run this, then start again:  sudo {line}")
    say(f"installing system libraries: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", line):
        done = subprocess.run(command.split(), capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise Failure(f"'{command}' failed: {reason[0]}")


@contextlib.contextmanager
def screen():
    """Give an environment with a screen: the one that is there, or a virtual one on Linux."""
    if has_display() or not shutil.which("Xvfb"):
        yield dict(os.environ)
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise Failure("The virtual screen did not start. Try 'Xvfb :99' by hand to see why.")
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()


# -- what can be asked --------------------------------------------------------------------------


def spatialml(venv, arguments, environment):
    """Run the command ``napari-spatialml`` and return its exit status."""
    return subprocess.run([str(program(venv, "napari-spatialml")), *arguments], env=environment, check=False).returncode


def demo(venv, arguments):
    """Walk a section through the whole way: in a window, or headless where there is no screen."""
    arguments = list(arguments)
    if not has_display():
        if "--headless" not in arguments:
            arguments.insert(0, "--headless")
        if not any(argument.split("=")[0] == "--out" for argument in arguments):
            arguments += ["--out", "demo-out"]
    with screen() as environment:
        return spatialml(venv, ["demo", *arguments], environment)


def run(venv, arguments):
    """Run any command of napari-spatialml, as in: python3 start.py run doctor."""
    return spatialml(venv, arguments, dict(os.environ))


def test(venv, arguments):
    """Run ruff, mypy, import-linter and pytest; arguments go to pytest."""
    failed = []
    for name, command in (
        ("ruff", ["ruff", "check", "."]),
        ("mypy", ["mypy"]),
        ("import-linter", ["lint-imports"]),
        ("pytest", ["pytest", *arguments]),
    ):
        say(f"{name} …")
        words = [str(program(venv, command[0])), *command[1:]]
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            failed.append(name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def setup(venv, arguments):
    """Only set up."""
    say(f"ready. Next: {Path(sys.executable).name} start.py demo")
    return 0


COMMANDS = {"demo": demo, "test": test, "setup": setup, "run": run}


def newer_python():
    """Return the path of a Python on this machine that is new enough, or None."""
    names = ("python3.13", "python3.12", "python3.11")
    for found in filter(None, map(shutil.which, names)):
        works = subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0
        if works:
            return found
    return None


def main(arguments=None):
    """Set up and run what the command line asks."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if sys.version_info < OLDEST:
        found = newer_python()
        if found is None:
            raise Failure(f"This is Python {sys.version.split()[0]}; 3.11 or newer is needed. Install one and run it.")
        return subprocess.run([found, str(Path(__file__).resolve()), *arguments], check=False).returncode
    parser = argparse.ArgumentParser(
        description="Set napari-spatialml up and run it.",
        epilog=VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name, function in COMMANDS.items():
        choices.add_parser(name, help=function.__doc__)
    command = COMMANDS[parser.parse_args(arguments[:1]).command]  # the rest belongs to the command
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a virtual screen is taken down too
    system()
    venv = venv_folder()
    install(venv)
    return command(venv, arguments[1:])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"[start] {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
