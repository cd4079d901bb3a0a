"""What each layer finds beside the engine, over recorded periods with their truth."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from detectors.backtest import Backtest, FoundIncident
from detectors.configuration import DetectionConfig
from recoup.demo.world.generating import CHANGES, EVENTS, read_period
from recoup.demo.world.matching import GRACE, compatible
from recoup.demo.world.truth import Period, Truth
from recoup.recording import EventFile, read_changes

ENGINE = "engine"


@dataclass
class Standing:
    """One detector's figures, summed over periods."""

    faults: int = 0
    found: int = 0
    delays: list[float] = field(default_factory=list)
    false: int = 0
    days: float = 0.0
    spent_s: float = 0.0
    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Kinds of fault that were found."""

    def row(self, name: str) -> dict[str, Any]:
        """Return the figures as one row."""
        return {
            "detector": name,
            "faults": self.faults,
            "found": self.found,
            "delay_minutes_median": median(self.delays) if self.delays else None,
            "false_a_day": round(self.false / max(self.days, 1e-9), 3),
            "microseconds_an_event": round(self.spent_s / max(self.events, 1) * 1e6, 2),
            "kinds": sorted(self.kinds),
        }


def measure(folders: Sequence[Path], layers: Sequence[str]) -> list[dict[str, Any]]:
    """Run the engine with these layers over recorded periods; return a row for each."""
    standings = {name: Standing() for name in (ENGINE, *layers)}
    for folder in folders:
        period = read_period(folder)
        run = Backtest(
            DetectionConfig(charts=False, layers=tuple(layers)), read_changes(folder / CHANGES)
        )
        assert run.engine.layers is not None
        run.engine.layers.timer = time.process_time
        began = time.process_time()
        for block in EventFile(folder / EVENTS).blocks():
            run.take(block)
        run.finish()
        whole = time.process_time() - began
        found = run.result()
        for name, standing in standings.items():
            spent = run.engine.layers.spent
            mine = [each for each in found if _is_of(name, each)]
            own = spent[name] if name in spent else whole - sum(spent.values())
            _judge(standing, period, mine, own)
    return [standing.row(name) for name, standing in standings.items()]


def _is_of(name: str, found: FoundIncident) -> bool:
    return found.kind != "layer" if name == ENGINE else found.metric == f"layer:{name}"


def _judge(
    standing: Standing, period: Period, found: Sequence[FoundIncident], spent_s: float
) -> None:
    standing.days += period.days
    standing.events += period.events
    standing.spent_s += spent_s
    ill = [truth for truth in period.truths if not truth.innocent]
    standing.faults += len(ill)
    for truth in ill:
        hits = [each for each in found if _speaks_of(each, truth)]
        if hits:
            standing.found += 1
            standing.kinds[truth.fault] += 1
            standing.delays.append((hits[0].opened_at - truth.onset) / timedelta(minutes=1))
    standing.false += sum(not any(_speaks_of(each, truth) for truth in ill) for each in found)


def _speaks_of(found: FoundIncident, truth: Truth) -> bool:
    """Tell whether what was found may be a fault: time and cohort fit; a layer has no kind."""
    in_time = truth.onset <= found.opened_at <= truth.end + GRACE
    return in_time and compatible(found.cohort.root, truth.cohort)
