"""What a graph attention method does when the accelerator has no memory left."""

import numpy as np
import pytest

from napari_spatialml.core import Cells
from napari_spatialml.methods.domains import stagate

torch = pytest.importorskip("torch")


def test_when_memory_runs_out_the_processor_gives_the_same_domains(monkeypatch):
    generator = np.random.default_rng(0)
    where = np.argwhere(np.ones((12, 12))) * 50.0
    cells = Cells(generator.normal(size=(144, 6)) + 4 * (where[:, :1] > 300), where)
    method = stagate.Stagate(n_domains=2, n_networks=2, n_epochs=20, n_hidden=16)
    here = method(cells)
    asked = []
    train = stagate.Stagate._kept

    def full(self, features, graph, device, report):
        asked.append(device)
        report(0.5)
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return train(self, features, graph, device, report)

    monkeypatch.setattr(stagate.Stagate, "_kept", full)
    monkeypatch.setattr(stagate, "choose", lambda preference: "cuda")
    told, said = [], []
    there = method(cells, lambda fraction, message="": (told.append(fraction), said.append(message)))
    assert asked == ["cuda", "cpu"]
    assert any("memory" in message for message in said) and told == sorted(told)
    assert here.probabilities.tobytes() == there.probabilities.tobytes()
