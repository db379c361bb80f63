"""Where a network runs: CUDA, else Apple's MPS, else the processor; and what happens without memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..errors import BadInput

__all__ = ["Device", "accelerated", "choose", "describe", "is_out_of_memory", "load_torch", "with_memory_fallback"]

Device = Literal["auto", "cpu", "cuda", "mps"]
T = TypeVar("T")

# what drivers say where they do not raise torch's own class
_SIGNS = (
    "cuda error: out of memory",
    "cuda out of memory",
    "mps backend out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def choose(preference: Device = "auto") -> str:
    """Return the device to run on: "cuda", "mps" or "cpu".

    Parameters
    ----------
    preference
        "auto" takes the fastest that is there.

    Raises
    ------
    BadInput
        When the preferred device is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if preference == "auto":
        return next(name for name, ok in there.items() if ok)
    if preference not in there:
        raise BadInput(f"There is no device '{preference}'.", f"Choose one of auto, {', '.join(there)}.")
    if not there[preference]:
        raise BadInput(f"The device '{preference}' is not available on this machine.", "Choose 'auto'.")
    return preference


def load_torch() -> None:
    """Import torch beside a window that goes on meanwhile.

    Its libraries take a quarter of a second to link, and an import keeps every other thread waiting for
    that long. Called as a foreign function the linker does not; what is linked already the import only finds. Where
    that is not possible it imports as usual.
    """
    import ctypes
    import importlib.util
    import os
    import sys

    found = importlib.util.find_spec("torch")
    if "torch" not in sys.modules and os.name == "posix" and found is not None and found.origin is not None:
        link: Any = ctypes.CDLL(None).dlopen
        link.restype, link.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
        folder, ending = Path(found.origin).parent / "lib", ".dylib" if sys.platform == "darwin" else ".so"
        for name, mode in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch_python", os.RTLD_LOCAL)):
            link(os.fsencode(folder / f"{name}{ending}"), os.RTLD_NOW | mode)  # as torch does, and in its order
    import torch  # noqa: F401


def accelerated() -> bool:
    """Return whether `choose` may find more than the processor; torch is loaded only where a driver is there."""
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version

    try:
        if "torch" not in sys.modules and (version("torch").endswith("+cpu") or not _has_driver(platform.system())):
            return False
    except PackageNotFoundError:
        return False
    return choose() != "cpu"


def _has_driver(system: str) -> bool:
    import os
    from pathlib import Path

    if system == "Darwin":
        return True  # whether it is one of Apple's processors, torch says
    if system == "Windows":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll").exists()
    # NVIDIA's, that of a Jetson, the one Windows lends its Linux, and AMD's
    return any(Path(f"/dev/{name}").exists() for name in ("nvidiactl", "nvmap", "dxg", "kfd"))


def describe(device: str | None = None) -> str:
    """Return the device in words, for messages and the record of a run: "cuda (NVIDIA H200, 140 GiB)"."""
    import torch

    device = device or choose()
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        return f"{device} ({properties.name}, {properties.total_memory / 2**30:.0f} GiB)"
    if device == "cpu":
        return f"cpu ({torch.get_num_threads()} threads)"
    return device


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an accelerator has no memory left, and nothing else."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def with_memory_fallback(
    run: Callable[[int, str], T],
    batch: int,
    device: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> T:
    """Run with smaller and smaller batches while memory runs out on an accelerator, then on the processor.

    Parameters
    ----------
    run
        Called as ``run(batch, device)``; starts from the beginning each time.
    batch
        The first batch size, ≥ 1. The processor gets this size again.
    device
        As `choose` returned it; the best by default.
    told
        Gets one sentence for each step back.

    Raises
    ------
    Exception
        Whatever ``run`` raises, other than lack of memory on an accelerator.
    """
    if batch < 1:
        raise BadInput(f"The batch size is {batch}.", "Give 1 or more.")
    device, size = device or choose(), batch
    while device != "cpu":
        try:
            return run(size, device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # outside the except block: the traceback would keep the tensors alive
        _free(device)
        if size == 1:
            told(f"The memory of {device} is full even for single tiles; the processor takes over.")
            break
        size //= 2
        told(f"The memory of {device} is full; trying {size} at a time.")
    return run(batch, "cpu")


def _free(device: str) -> None:
    import gc

    import torch

    gc.collect()
    if device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device == "mps" and torch.backends.mps.is_available():
        torch.mps.empty_cache()
