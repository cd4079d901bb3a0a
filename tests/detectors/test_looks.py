"""What a waiting trial tells, look by look, comes to the same in the end, in no more looks."""

import math

import numpy as np
import pytest

from detectors.sequential import Evidence
from detectors.trials import Told, TrialTable

HORIZON_MS = 1_800_000
MINUTE_MS = 60_000
RATIO = 0.5


def looks_of(p: float, success_ms: int | None) -> list[Told]:
    """Return what one trial tells, a look each minute until long after its horizon."""
    table = TrialTable([HORIZON_MS])
    zeros = np.zeros(1, dtype=np.int64)
    table.admit(zeros, zeros, zeros, zeros - 1, np.array([p]))
    looks = []
    for now_ms in range(MINUTE_MS, 2 * HORIZON_MS, MINUTE_MS):
        if success_ms is not None and now_ms - MINUTE_MS <= success_ms < now_ms:
            table.succeed(zeros, np.array([success_ms]))
        told = table.tell(now_ms)
        looks += [told] if told else []
    return looks


def gain_of(looks: list[Told]) -> float:
    evidence = Evidence(np.array([[RATIO]]))
    return sum(float(evidence.gains(told)[0]) for told in looks)


@pytest.mark.parametrize("p", [0.004, 0.05, 0.9])
@pytest.mark.parametrize("success_ms", [None, 90_000, 1_500_000])
def test_all_looks_together_tell_the_outcome(p: float, success_ms: int | None) -> None:
    failing = math.log((1 - RATIO * p) / (1 - p))
    expected = failing if success_ms is None else math.log(RATIO)
    assert gain_of(looks_of(p, success_ms)) == pytest.approx(expected, rel=1e-6)


def test_what_hardly_tells_anything_is_looked_at_once() -> None:
    assert len(looks_of(0.004, None)) == 1
    assert len(looks_of(0.9, None)) > 3
