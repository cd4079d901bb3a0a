"""An alarm clears the evidence that its incident explains, and none of another step's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from recoup.demo.shop import Shop
from recoup.domain.base import to_ms
from recoup.domain.cohort import Cohort
from recoup.domain.series import EventBlock

START = datetime(2026, 11, 2, tzinfo=UTC)
HIGH = 4.0


@pytest.fixture
def engine() -> DetectionEngine:
    """An engine that knows a shop's cohorts, with evidence everywhere."""
    end = START + timedelta(hours=3)
    lines = Shop(9, to_ms(START), to_ms(START)).until(end)
    engine = DetectionEngine(DetectionConfig(charts=False))
    engine.observe_events(EventBlock(1, len(lines), to_ms(end), b"\n".join(lines)))
    engine.watching.evidence.score[:] = HIGH
    return engine


def test_evidence_of_another_step_stays(engine: DetectionEngine) -> None:
    watching = engine.watching
    index, names = watching.index, watching.plan.names
    paying = names.index("payment_attempted->order_completed")
    row = index.find({"os": "iOS 16"})
    engine.response._silence(Cohort({"os": "iOS 16"}), paying, row)

    def left(metric: str, values: dict[str, str]) -> float:
        return float(np.max(watching.evidence.score[names.index(metric), index.find(values)]))

    phones = {"device": "mobile"}
    for explained in ("payment_attempted->order_completed", "checkout_started->order_completed"):
        assert left(explained, phones) == left(explained, {}) == 0.0
        assert left(explained, {"os": "Android 14"}) == HIGH
    for apart in ("product_viewed->product_added", "checkout_started->payment_attempted"):
        assert left(apart, phones) == left(apart, {"os": "iOS 16"}) == HIGH
