"""What labels of false alarms are worth on data not seen: one JSON line a seed, then the sum.

Usage: python -m tests.benchmarks.false_alarms [--seeds 1-5]

A shop has habits: at about the same hour of most days some people buy less for an hour or two, and
nobody minds. Two engines watch the same events; in one of them the first twenty alarms of habits
are called false. After that come days that neither has seen, with the habits at other moments and
of other sizes, and with real faults, some of them among the very people of a habit.
"""

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from recoup.demo.shop import Shop
from recoup.domain.base import to_ms
from recoup.domain.facts import (
    Fact,
    FeedbackGiven,
    IncidentClosed,
    IncidentOpened,
    Recorded,
    Resolution,
)
from recoup.domain.series import EventBlock

START = datetime(2026, 11, 2, tzinfo=UTC)
WARM_H, TRAIN_DAYS, TEST_DAYS = 36, 5, 4
LABELS = 20
STEP = timedelta(minutes=5)
CLOSED_AFTER = timedelta(hours=2)
HABITS: tuple[tuple[dict[str, str], float], ...] = (
    ({"provider": "adyen"}, 2.0),
    ({"country": "SE"}, 6.5),
    ({"os": "Android 14"}, 11.0),
    ({"campaign": "newsletter"}, 15.5),
    ({"browser": "Safari", "country": "FR"}, 20.0),
)
COHORTS: tuple[dict[str, str], ...] = (
    {"country": "GB"},
    {"country": "DE", "os": "iOS 16"},
    {"provider": "stripe", "country": "FR"},
    {"browser": "Chrome"},
    {"category": "shoes"},
    {"os": "Windows 11"},
    {"campaign": "google"},
    {"provider": "adyen"},
    {"os": "Android 14"},
    {"country": "SE"},
)
FAULTS_A_DAY = 5


@dataclass(frozen=True)
class Trouble:
    """A time in which some of a cohort's payments are lost; a habit or a fault."""

    dims: dict[str, str]
    start: datetime
    end: datetime
    drop: float
    is_fault: bool

    def explains(self, opened: IncidentOpened) -> bool:
        """Tell whether an incident is this trouble: its time, and people in common."""
        if not self.start - STEP <= opened.opened_at <= self.end + timedelta(minutes=40):
            return False
        cohort = opened.cohort.root
        if any(cohort.get(name, value) != value for name, value in self.dims.items()):
            return False
        return not cohort or bool(set(cohort.items()) & set(self.dims.items()))


@dataclass
class Troubles:
    """What the shop asks whether a session is hit; stands in for the one fault of the demo."""

    listed: list[Trouble]
    now: datetime = START
    drop: float = 0.0
    active: list[Trouble] = field(default_factory=list)

    def move(self, now: datetime) -> None:
        self.active = [each for each in self.listed if each.start <= now < each.end]

    def hits(self, dims: dict[str, str]) -> bool:
        mine = [t for t in self.active if all(dims[k] == v for k, v in t.dims.items())]
        self.drop = max((t.drop for t in mine), default=0.0)
        return bool(mine)


def troubles_of(seed: int) -> list[Trouble]:
    """Return the habits of all days, and the faults of the days not seen."""
    draw = random.Random(seed)
    first = START + timedelta(hours=WARM_H)
    found: list[Trouble] = []
    for day in range(TRAIN_DAYS + TEST_DAYS):
        midnight = first + timedelta(days=day)
        for dims, hour in HABITS:
            start = midnight + timedelta(hours=hour + draw.uniform(-0.4, 0.4))
            end = start + timedelta(minutes=draw.uniform(60, 110))
            found.append(Trouble(dims, start, end, draw.uniform(0.4, 0.6), False))
        if day >= TRAIN_DAYS:
            for number in range(FAULTS_A_DAY):
                start = midnight + timedelta(hours=24 / FAULTS_A_DAY * number + draw.uniform(0, 2))
                end = start + timedelta(hours=3)
                dims = draw.choice(COHORTS)
                found.append(Trouble(dims, start, end, draw.uniform(0.45, 0.95), True))
    return found


class Watched:
    """One engine with its people: what it opened, and what they say of it."""

    def __init__(self, labels: int) -> None:
        hours = WARM_H * 5 // 6
        config = DetectionConfig(warm_up_ms=hours * 3_600_000, charts=False)
        self.engine = DetectionEngine(config)
        self.opened: list[IncidentOpened] = []
        self.labelled = 0
        self._labels = labels
        self._waiting: list[IncidentOpened] = []
        self._count = 0

    def observe(self, block: EventBlock) -> None:
        self.engine.observe_events(block)
        for _, new in self.engine.take_facts():
            if isinstance(new.fact, IncidentOpened):
                self.opened.append(new.fact)
                self._waiting.append(new.fact)

    def say(self, now: datetime, troubles: list[Trouble]) -> None:
        """Call what is a habit false, as long as there are labels left; close the rest later."""
        for opened in list(self._waiting):
            is_fault = any(t.is_fault and t.explains(opened) for t in troubles)
            of_habit = any(not t.is_fault and t.explains(opened) for t in troubles)
            if of_habit and not is_fault and self.labelled < self._labels:
                if now - opened.opened_at >= timedelta(minutes=20):
                    self.labelled += 1
                    self._tell(
                        now,
                        FeedbackGiven(
                            incident_id=opened.incident_id, label="false_positive", by="anna"
                        ),
                    )
                    self._close(opened, now, Resolution.FALSE_POSITIVE)
            elif now - opened.opened_at >= CLOSED_AFTER:
                end = Resolution.RECOVERED if is_fault else Resolution.REJECTED
                self._close(opened, now, end)

    def _close(self, opened: IncidentOpened, now: datetime, resolution: Resolution) -> None:
        self._waiting.remove(opened)
        closed = IncidentClosed(
            incident_id=opened.incident_id, resolution=resolution, closed_at=now
        )
        self._tell(now, closed)

    def _tell(self, now: datetime, fact: Fact) -> None:
        self._count += 1
        entry = Recorded(
            position=self._count,
            stream="s",
            version=self._count,
            fact_id=f"f{self._count}",
            occurred_at=now,
            recorded_at=now,
            actor="anna",
            fact=fact,
        )
        self.engine.observe_fact(entry)


def play(seed: int) -> dict[str, object]:
    """Return what both engines told of the days not seen."""
    troubles = troubles_of(seed)
    first = START + timedelta(hours=WARM_H)
    unseen = first + timedelta(days=TRAIN_DAYS)
    end = unseen + timedelta(days=TEST_DAYS)
    engines = {"unlabelled": Watched(0), "labelled": Watched(LABELS)}
    for now, block in _blocks(seed, troubles, end):
        for watched in engines.values():
            watched.observe(block)
            watched.say(now, troubles)
    found: dict[str, object] = {"seed": seed, "labels": engines["labelled"].labelled}
    faults = [each for each in troubles if each.is_fault]
    found["faults"] = len(faults)
    for name, watched in engines.items():
        late = [each for each in watched.opened if each.opened_at >= unseen]
        false = [each for each in late if not any(f.explains(each) for f in faults)]
        caught = [fault for fault in faults if any(fault.explains(each) for each in late)]
        found[name] = {"false": len(false), "caught": len(caught)}
    return found


def _blocks(
    seed: int, troubles: list[Trouble], end: datetime
) -> Iterator[tuple[datetime, EventBlock]]:
    shop = Shop(seed, to_ms(START), to_ms(end) + 1, base_rate=0.35)
    shop.fault = Troubles(troubles)  # type: ignore[assignment]  # the same two members
    shop.flag = lambda _dims: True
    now, position = START, 1
    while now < end:
        now += STEP
        shop.fault.move(now)  # type: ignore[attr-defined]
        lines = shop.until(now)
        if lines:
            yield now, EventBlock(position, len(lines), to_ms(now), b"\n".join(lines))
            position += len(lines)


def main() -> None:
    """Play the seeds and sum them up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-5")
    first, _, last = parser.parse_args().seeds.partition("-")
    sums = {"unlabelled": [0, 0], "labelled": [0, 0]}
    faults = 0
    for seed in range(int(first), int(last or first) + 1):
        found = play(seed)
        print(json.dumps(found), flush=True)
        faults += int(str(found["faults"]))
        for name, pair in sums.items():
            each = found[name]
            assert isinstance(each, dict)
            pair[0] += each["false"]
            pair[1] += each["caught"]
    before, after = sums["unlabelled"], sums["labelled"]
    fewer = 1 - after[0] / max(before[0], 1)
    recall = [round(pair[1] / max(faults, 1), 3) for pair in (before, after)]
    print(json.dumps({"fewer_false": round(fewer, 3), "recall": recall, "faults": faults}))


if __name__ == "__main__":
    main()
