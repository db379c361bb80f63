"""What POT's fused Gromov–Wasserstein takes for the same: run by `expression` with its own Python, never imported."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np


def main(path: str, plan_path: str) -> None:
    """Print the seconds, the least of three where they are short; write the plan."""
    import ot  # noqa: F401  # which imports torch: not part of the seconds

    held = np.load(path)
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < 10:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = _exact(held)
        seconds.append(time.process_time() - start)
    np.savez(plan_path, plan=plan)
    print(json.dumps(min(seconds)))


def _costs(held: Any) -> tuple[Any, Any, Any]:
    """Return the three matrices of the objective, in the units of our solver."""
    x, y = (held[k] - held[k].mean(0) for k in ("x", "y"))
    spread = (x**2).sum(1).mean() + (y**2).sum(1).mean()
    here, there = (((p[:, None] - p[None]) ** 2).sum(2) / spread for p in (x, y))
    cost = (held["f"] ** 2).sum(1)[:, None] + (held["g"] ** 2).sum(1) - 2 * held["f"] @ held["g"].T
    return cost / cost.mean(), here, there


def _exact(held: Any) -> Any:
    import ot

    cost, here, there = _costs(held)
    return ot.gromov.fused_gromov_wasserstein(cost, here, there, alpha=1 - float(held["alpha"]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
