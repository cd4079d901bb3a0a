"""Slow calls are trials of their own; by themselves they wake nobody."""

import json
import random
from datetime import UTC, datetime, timedelta

from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from detectors.watching import Watching
from recoup.domain.series import EventBlock

START = datetime(2026, 11, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def lines(minutes: range, ms: float, chance: random.Random) -> list[bytes]:
    """Return, a minute, ten sessions that view a page, wait for a call and view a product."""
    found = []
    for minute in minutes:
        for number in range(10):
            session = {"session": f"s{minute}-{number}", "dims": {"country": "DE"}}
            at = START + minute * MINUTE + timedelta(seconds=5 * number)
            call = {"endpoint": "/search", "ms": ms * chance.uniform(0.5, 1.5)}
            for step, (kind, props) in enumerate(
                (("page_viewed", {}), ("api_timed", call), ("product_viewed", {}))
            ):
                event = {"id": f"{minute}-{number}-{step}", "type": kind, "props": props}
                event["time"] = (at + timedelta(seconds=step)).isoformat(timespec="milliseconds")
                found.append(json.dumps(event | session).encode())
    return found


def evidence_of(watching: Watching, values: dict[str, str]) -> float:
    row = watching.index.find(values)
    return watching.evidence.statistic(watching.plan.slow, row) if row >= 0 else 0.0


def test_calls_slower_than_their_endpoints_quantile_are_counted_and_wake_nobody() -> None:
    chance = random.Random(3)
    engine = DetectionEngine(DetectionConfig(warm_up_ms=4 * 3_600_000, charts=False))
    usual, slow = range(600), range(600, 660)
    sent = lines(usual, 200.0, chance) + lines(slow, 900.0, chance)
    arrived = int((START + 700 * MINUTE).timestamp() * 1000)
    watching = engine.watching
    # The test begins anew whenever it was high and nobody was found to be harmed.
    highest: list[float] = [0.0]
    engine.on_tick = lambda _: highest.append(evidence_of(watching, {"country": "DE"}))
    engine.observe_events(EventBlock(1, len(sent), arrived, b"\n".join(sent)))
    table, metric = watching.table, watching.plan.slow
    mine = table.metric == metric
    late = table.exposed_ms >= int((START + 600 * MINUTE).timestamp() * 1000)
    assert 0.02 < (table.success_ms[mine & ~late] >= 0).mean() < 0.1
    assert (table.success_ms[mine & late] >= 0).mean() > 0.6
    assert max(highest) > 5
    assert engine.advance().facts == []
