"""The evidence that causes were ranked by, kept, so that ways to rank can be compared quickly.

A backtest of one period takes most of a minute, a ranking a few milliseconds. ``collect`` plays a
period from some days before its first fault until every fault found has been ranked.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import to_json

from detectors.backtest import Backtest
from detectors.configuration import DetectionConfig
from detectors.evidence import IncidentEvidence, from_bytes, to_bytes
from recoup.demo.world.bench import Case
from recoup.demo.world.generating import CHANGES, EVENTS, generate, read_period
from recoup.demo.world.matching import BUSINESS, match, read_claims
from recoup.demo.world.scoring import INCIDENTS
from recoup.demo.world.shop import DAY, HOUR
from recoup.demo.world.truth import Truth
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.series import EventBlock
from recoup.recording import EventFile, read_changes

BEFORE_MS = int(2.6 * DAY)
"""How long before the first fault the engine starts: its warm-up and some hours."""

PATIENCE_MS = 2 * HOUR
"""How long after the last onset, at least, a fault may be found."""


@dataclass(frozen=True)
class Ranked:
    """An incident that found a fault, as it was when its causes were ranked."""

    truth: Truth
    evidence: IncidentEvidence
    changes: tuple[Change, ...]
    at_risk_per_hour: float


def collect_case(case: Case, days: float, sessions_per_day: float) -> int:
    """Collect one case; return how many incidents were ranked."""
    return collect(case.seed, case.fault, case.folder, days, sessions_per_day)


def collect(seed: int, fault: str, folder: Path, days: float, sessions_per_day: float) -> int:
    """Generate a period, run the engine over it and keep what it ranked; return how many."""
    period = generate(seed, fault, folder, days, sessions_per_day)
    truths = [truth for truth in period.truths if truth.kind == BUSINESS]
    if not truths:
        (folder / EVENTS).unlink()
        (folder / INCIDENTS).write_text("[]")
        return 0
    first = min(to_ms(truth.onset) for truth in truths) - BEFORE_MS
    last = max(to_ms(truth.end) for truth in truths) + PATIENCE_MS
    run = Backtest(
        DetectionConfig(charts=False, currency=truths[0].currency), read_changes(folder / CHANGES)
    )
    for _ in run.run(_between(EventFile(folder / EVENTS), first, last)):
        ranked = [shown for shown in run.shown() if shown.ranked is not None]
        if len(_found(folder, truths, [shown.incident for shown in ranked])) == len(truths):
            break
    kept = [shown for shown in run.shown() if shown.evidence is not None]
    (folder / INCIDENTS).write_bytes(to_json([shown.incident for shown in kept]))
    for shown in kept:
        assert shown.evidence is not None
        (folder / f"{shown.incident.id}.evidence").write_bytes(to_bytes(shown.evidence))
    (folder / EVENTS).unlink()
    return len(kept)


def _found(folder: Path, truths: Sequence[Truth], incidents: Sequence[object]) -> list[Truth]:
    (folder / INCIDENTS).write_bytes(to_json(list(incidents)))
    pairs = match(truths, read_claims(folder / INCIDENTS)).pairs
    return [pair.truth for pair in pairs if pair.claim is not None]


def _between(source: EventFile, first: int, last: int) -> Iterator[EventBlock]:
    for block in source.blocks():
        if block.received_at_ms > last:
            return
        if block.received_at_ms >= first:
            yield block


def read_ranked(folder: Path) -> list[Ranked]:
    """Return the incidents of a collected period that found a business fault."""
    if not (folder / INCIDENTS).exists():
        return []
    found = []
    changes = read_changes(folder / CHANGES)
    plain = {each["id"]: each for each in json.loads((folder / INCIDENTS).read_text())}
    pairs = match(read_period(folder).truths, read_claims(folder / INCIDENTS)).pairs
    for pair in pairs:
        if pair.claim is None or pair.truth.kind != BUSINESS:
            continue
        evidence = from_bytes((folder / f"{pair.claim.id}.evidence").read_bytes())
        known = tuple(each for each in changes if each.time <= from_ms(evidence.until_ms))
        at_risk = plain[pair.claim.id]["revenue_at_risk_per_hour"]
        found.append(Ranked(pair.truth, evidence, known, at_risk))
    return found
