"""What people called normal is tolerated: the same pattern, no worse and for no longer, is no news.

A pattern is a metric, a cohort, a time of day and a size. Every label is kept with its pattern;
an alarm is compared with all of them, so what was learned is a function of the labels alone: a
preview computes it with one label more, and taking a label back is leaving it out. Confirmed
incidents of the same pattern weigh against it, a larger effect is not covered, and what lasts
longer than a spell usually may is told after all.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from recoup.domain.base import to_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    Fact,
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    IncidentOpened,
    Resolution,
)

TELLING = tuple(
    kind.type_name for kind in (IncidentOpened, IncidentClosed, FeedbackGiven, FeedbackWithdrawn)
)
"""The facts that are learned from."""
ENOUGH = 1.2
"""So many labels of exactly this pattern, or more that are only like it."""
SURE = 0.8
CONFIRMED_WEIGHT = 2.0
HOURS_ALIKE = 1.2
ANY_HOUR = 0.15
OTHER_METRIC = 0.5
ROOM = 1.15
"""How much larger than the labelled effect a new one may be and still pass for the same."""
TOLERATED_MS = 5 * 1_800_000
SPELL_GAP_MS = 2 * 3_600_000
KEPT = 2_000


class Pattern(NamedTuple):
    """What one alarm looks like to a person."""

    metric: str
    direction: str
    cohort: Cohort
    hour: float
    expected: float
    observed: float
    trials: float

    @property
    def effect(self) -> float:
        """The size as a log ratio, above zero."""
        return abs(math.log(max(self.observed, 1e-4) / max(self.expected, 1e-4)))

    def likeness(self, labelled: "Pattern") -> float:
        """Return from 0 to 1 how far a label of another alarm speaks of this one."""
        if self.direction != labelled.direction or self.metric.startswith("volume:"):
            return 0.0  # a shop that falls silent is always news
        alike = _cohorts_alike(self.cohort, labelled.cohort)
        alike *= 1.0 if self.metric == labelled.metric else OTHER_METRIC
        apart = abs(self.hour - labelled.hour)
        apart = min(apart, 24.0 - apart) / HOURS_ALIKE
        alike *= ANY_HOUR + (1.0 - ANY_HOUR) * math.exp(-apart * apart)
        excess = max(0.0, self._worse_than(labelled.effect * ROOM) - 1.0)
        return alike * math.exp(-excess * excess)

    def _worse_than(self, effect: float) -> float:
        """Return by how many standard errors this is worse than an effect; few trials say little.

        The moment of an alarm is the moment at which chance made it look worst.
        """
        sign = -1.0 if self.direction == "drop" else 1.0
        allowed = min(max(self.expected * math.exp(sign * effect), 1e-4), 0.999)
        error = math.sqrt(allowed * (1.0 - allowed) / max(self.trials, 1.0))
        return sign * (self.observed - allowed) / error


def pattern_of(opened: IncidentOpened) -> Pattern:
    """Return the pattern of an incident as it was opened."""
    return Pattern(
        metric=opened.metric,
        direction=opened.direction,
        cohort=opened.cohort,
        hour=_hour_of(opened.onset_at),
        expected=opened.expected,
        observed=opened.observed,
        trials=opened.trials,
    )


def _hour_of(moment: datetime) -> float:
    return moment.hour + moment.minute / 60


def _cohorts_alike(one: Cohort, other: Cohort) -> float:
    return 0.0 if one.contradicts(other) else one.likeness(other)


class Judgement(NamedTuple):
    """What the labels say of a pattern: how many are like it, and whether it is tolerated."""

    benign: float
    confirmed: float
    like: tuple[str, ...]

    @property
    def tolerated(self) -> bool:
        """Tell whether enough labels agree that this is normal."""
        share = self.benign / max(self.benign + CONFIRMED_WEIGHT * self.confirmed, 1e-9)
        return self.benign >= ENOUGH and share >= SURE


@dataclass
class Spell:
    """One time that a tolerated pattern shows: since when, and when it was last seen."""

    pattern: Pattern
    onset_ms: int
    last_ms: int


@dataclass
class Sensitivity:
    """The patterns of past incidents with what people said of them."""

    seen: OrderedDict[str, Pattern] = field(default_factory=OrderedDict)
    benign: dict[str, bool] = field(default_factory=dict)
    """By incident: True for what people called normal, False for what was confirmed."""
    spells: list[Spell] = field(default_factory=list)

    def take(self, fact: Fact) -> None:
        """Learn from a fact, if it says what an incident was."""
        match fact:
            case IncidentOpened():
                self.seen[fact.incident_id] = pattern_of(fact)
                while len(self.seen) > KEPT:
                    forgotten, _ = self.seen.popitem(last=False)
                    self.benign.pop(forgotten, None)
            case FeedbackGiven(label="false_positive" | "expected"):
                self._label(fact.incident_id, benign=True)
            case FeedbackGiven(label="confirmed"):
                self._label(fact.incident_id, benign=False)
            case FeedbackWithdrawn():
                self.benign.pop(fact.incident_id, None)
            case IncidentClosed(resolution=Resolution.RECOVERED):
                self._label(fact.incident_id, benign=False)
            case _:
                pass

    def _label(self, incident_id: str, *, benign: bool) -> None:
        if incident_id in self.seen:
            self.benign[incident_id] = benign

    def judge(
        self, pattern: Pattern, labels: Mapping[str, bool] | None = None, *, but: str = ""
    ) -> Judgement:
        """Return what the labels (or others in their place) say of a pattern."""
        sums, like = {True: 0.0, False: 0.0}, []
        for incident_id, benign in (self.benign if labels is None else labels).items():
            if incident_id == but:
                continue
            weight = pattern.likeness(self.seen[incident_id])
            sums[benign] += weight
            if benign and weight >= ANY_HOUR / 2:
                like.append(incident_id)
        return Judgement(sums[True], sums[False], tuple(like))

    def tolerates(self, opened: IncidentOpened) -> tuple[str, ...]:
        """Return the labelled incidents for whose sake this one is not to be opened; none opens it.

        A spell that lasts too long is not tolerated any further.
        """
        pattern, now_ms = pattern_of(opened), to_ms(opened.opened_at)
        self.spells = [each for each in self.spells if now_ms - each.last_ms < SPELL_GAP_MS]
        mine = pattern.cohort
        spell = next((s for s in self.spells if _cohorts_alike(s.pattern.cohort, mine)), None)
        if spell is not None:  # its hour is the one at which it began
            pattern = pattern._replace(hour=spell.pattern.hour)
        found = self.judge(pattern)
        if not found.tolerated:
            return ()
        if spell is None:
            spell = Spell(pattern, to_ms(opened.onset_at), now_ms)
            self.spells.append(spell)
        spell.last_ms = now_ms
        return found.like if now_ms - spell.onset_ms <= TOLERATED_MS else ()


class Preview(NamedTuple):
    """What one more label would have changed in the past; ids of incidents."""

    removed: tuple[str, ...]
    hidden: tuple[str, ...]
    past: int


def preview(sensitivity: Sensitivity, incident_id: str) -> Preview:
    """Return which past incidents a false-positive label on this one would have kept from opening.

    ``removed`` were called false alarms or nothing at all; ``hidden`` were confirmed. An incident's
    own label does not count for itself.
    """
    before = sensitivity.benign
    after = {**before, incident_id: True}
    removed: list[str] = []
    hidden: list[str] = []
    labelled = sensitivity.seen[incident_id]
    for each, pattern in sensitivity.seen.items():
        if not pattern.likeness(labelled):
            continue
        was = sensitivity.judge(pattern, before, but=each).tolerated
        becomes = sensitivity.judge(pattern, after, but=each).tolerated
        if becomes and not was:
            (hidden if before.get(each) is False else removed).append(each)
    return Preview(tuple(removed), tuple(hidden), len(sensitivity.seen))
