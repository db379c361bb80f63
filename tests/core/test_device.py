"""A run that fills the accelerator's memory goes on in smaller pieces, and nothing else is swallowed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_spatialml.core import device
from napari_spatialml.errors import BadInput, Cancelled

FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
]


class Accelerator:
    """Runs batches of up to ``room`` and is out of memory beyond."""

    def __init__(self, room: int, error: Exception) -> None:
        self.room, self.error, self.calls = room, error, []

    def __call__(self, batch: int, where: str) -> str:
        self.calls.append((batch, where))
        if where != "cpu" and batch > self.room:
            raise self.error
        return f"{batch} on {where}"


@pytest.mark.parametrize("error", FULL, ids=lambda e: str(e)[:20])
def test_the_batch_is_halved_until_it_fits(error: Exception) -> None:
    run = Accelerator(3, error)
    said: list[str] = []
    assert device.with_memory_fallback(run, 16, "cuda", said.append) == "2 on cuda"
    assert run.calls == [(16, "cuda"), (8, "cuda"), (4, "cuda"), (2, "cuda")]
    assert len(said) == 3 and "trying 8" in said[0]


def test_the_processor_takes_over_when_not_even_one_fits() -> None:
    run = Accelerator(0, FULL[0])
    assert device.with_memory_fallback(run, 4, "cuda") == "4 on cpu"
    assert run.calls == [(4, "cuda"), (2, "cuda"), (1, "cuda"), (4, "cpu")]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shape mismatch"), ValueError("out of memory"), Cancelled(), MemoryError(), KeyboardInterrupt()],
    ids=repr,
)
def test_every_other_error_passes_at_once(error: BaseException) -> None:
    calls = []

    def run(batch: int, where: str) -> None:
        calls.append(batch)
        raise error

    with pytest.raises(type(error)) as caught:
        device.with_memory_fallback(run, 8, "cuda")
    assert caught.value is error
    assert calls == [8]


def test_lack_of_memory_on_the_processor_is_not_hidden() -> None:
    def run(batch: int, where: str) -> None:
        raise FULL[0]

    with pytest.raises(torch.OutOfMemoryError):
        device.with_memory_fallback(run, 8, "cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest_that_is_there(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device.choose() == expected
    assert device.choose("cpu") == "cpu"
    if not cuda:
        with pytest.raises(BadInput, match="not available"):
            device.choose("cuda")


def test_the_device_is_described_in_words() -> None:
    assert device.describe("cpu").startswith("cpu (")


def test_importing_the_module_does_not_load_torch() -> None:
    code = "import sys, napari_spatialml.core.device; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_real_accelerator_that_is_full_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
    assert device.is_out_of_memory(caught.value)


ALONE = """
import sys, threading
from napari_spatialml.core.device import load_torch
assert "torch" not in sys.modules
if sys.argv[1] == "not there":
    from pathlib import Path
    from napari_spatialml.core import device
    device.Path = lambda _: Path("/nowhere/torch")
beside = threading.Thread(target=load_torch)
beside.start()
beside.join()
import torch
print(float(torch.ones(3, 3).matmul(torch.ones(3, 3)).sum()))
"""


@pytest.mark.parametrize("libraries", ["there", "not there"])
def test_torch_that_was_linked_beforehand_works_and_so_does_one_that_could_not_be(libraries: str) -> None:
    command = [sys.executable, "-c", ALONE, libraries]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and float(done.stdout) == 27.0, done.stderr[-2000:]
