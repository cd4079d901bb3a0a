"""One line at the end of a run that says what the faults did."""

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
