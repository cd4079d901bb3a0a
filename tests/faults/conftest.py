"""A summary at the end of a run that says what the faults did, and where they struck."""

from collections import Counter
from typing import Any

import pytest

from tests.faults.judging import Judgement

_judged: list[Judgement] = []


@pytest.fixture
def judged() -> list[Judgement]:
    """Where a test leaves its judgements for the summary."""
    return _judged


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _judged:
        return
    kinds = Counter(each.kind for each in _judged)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    terminalreporter.write_line(
        f"faults: {len(_judged)} runs ({counts}); "
        f"incidents lost {sum(bool(each.lost) for each in _judged)}, "
        f"actions twice {sum(bool(each.twice) for each in _judged)}, "
        f"half done in silence {sum(bool(each.half_done) for each in _judged)}"
    )
    for point in sorted({each.point for each in _judged}):
        struck = Counter(each.kind for each in _judged if each.point == point)
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(struck.items()))
        terminalreporter.write_line(f"  {point}: {told}")
