"""The engine is a deterministic projection: cuts between blocks and restarts change nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from detectors.evidence import from_bytes
from recoup.demo.shop import Fault, Shop
from recoup.domain.facts import IncidentOpened
from recoup.domain.series import EventBlock

END = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
CONFIG = DetectionConfig(warm_up_ms=30 * 3_600_000)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """A day and a half of a shop whose widget is broken for one cohort in the last two hours."""
    start, broken = END - timedelta(hours=36), END - timedelta(hours=2)
    sale = int((END - timedelta(hours=36)).timestamp() * 1000)
    shop = Shop(5, int(start.timestamp() * 1000), sale, sale_factor=2.0, fault=Fault(drop=0.9))
    found = shop.until(broken)
    shop.flag = lambda _dims: True
    return found + shop.until(END)


def play(lines: list[bytes], size: int, *, restart: bool = False) -> tuple[list[str], bytes]:
    engine, found, position = DetectionEngine(CONFIG), [], 1
    evidence = b""
    for at in range(0, len(lines), size):
        part = lines[at : at + size]
        now_ms = int(END.timestamp() * 1000)
        engine.observe_events(EventBlock(position, len(part), now_ms, b"\n".join(part)))
        position += len(part)
        output = engine.advance()
        found += [f"{stream} {new.model_dump_json()}" for stream, new in output.facts]
        evidence = output.evidence[-1].payload if output.evidence else evidence
        if restart and at % (size * 7) == 0:
            engine = DetectionEngine.restore(CONFIG, engine.snapshot())
    return found, evidence


def test_cuts_and_restarts_change_nothing(lines: list[bytes]) -> None:
    once, _ = play(lines, 20_000)
    assert any(line.startswith("inc_") for line in once)
    assert play(lines, 1_777)[0] == once
    assert play(lines, 3_000, restart=True)[0] == once


def test_what_arrives_late_counts_the_same_however_blocks_are_cut(lines: list[bytes]) -> None:
    # Neighbours change places, and every 97th line comes hundreds of lines late.
    order = sorted(range(len(lines)), key=lambda n: n + (700 if n % 97 == 0 else -3 * (n % 2)))
    arrived = [lines[number] for number in order]
    once, evidence = play(arrived, 20_000)
    assert any(line.startswith("inc_") for line in once)
    for size in (613, 4_999):
        assert play(arrived, size) == (once, evidence)


def test_the_broken_cohort_is_found_with_its_evidence(lines: list[bytes]) -> None:
    engine = DetectionEngine(CONFIG)
    engine.observe_events(EventBlock(1, len(lines), int(END.timestamp() * 1000), b"\n".join(lines)))
    output = engine.advance()
    opened = [new.fact for _, new in output.facts if isinstance(new.fact, IncidentOpened)]
    assert opened
    assert all(fact.opened_at > END - timedelta(hours=2) for fact in opened)
    cohort = opened[0].cohort
    assert {"campaign", "os"} & set(cohort.root)
    evidence = from_bytes(output.evidence[0].payload)
    assert evidence.metric_name in evidence.metrics
    assert any(signal.detail == "payment-widget-v2.js" for signal in evidence.signals)
