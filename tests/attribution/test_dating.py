"""The onset: what the trials leave open, a probable cause closes."""

import numpy as np

from detectors.attribution.dating import date_onset
from detectors.attribution.likelihood import MINUTE_MS, Picture
from detectors.attribution.suspects import Suspect
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Hypothesis, Onset

START_MS = 1_900_000_000_000 // MINUTE_MS * MINUTE_MS
TICKS = START_MS + np.arange(240) * MINUTE_MS
CHANGED_MS = START_MS + 70 * MINUTE_MS


def picture(first: int, last: int) -> Picture:
    """The trials say: it began in one of these minutes, all as likely."""
    belief = np.zeros(len(TICKS))
    belief[first:last] = 1.0 / (last - first)
    return Picture(np.zeros((1, 1)), np.ones(1), TICKS, belief, is_volume=False)


def onset(seen: Picture, probability: float, opened_min: int = 239) -> Onset:
    change = Change(id="chg_1", kind=ChangeKind.FLAG, time=from_ms(CHANGED_MS), title="a flag")
    beliefs = [
        Hypothesis(change_id="chg_1", probability=probability),
        Hypothesis(change_id=UNKNOWN_CAUSE, probability=1 - probability),
    ]
    return date_onset(seen, [Suspect((change,))], beliefs, START_MS + opened_min * MINUTE_MS)


def minutes(found: Onset) -> tuple[float, float, float]:
    moments = found.earliest, found.at, found.latest
    low, middle, high = ((to_ms(moment) - START_MS) / MINUTE_MS for moment in moments)
    return low, middle, high


def test_without_a_cause_the_trials_alone_say_when_it_began() -> None:
    low, middle, high = minutes(onset(picture(40, 140), 0.0))
    assert 44 <= low <= 45
    assert 89 <= middle <= 90
    assert 134 <= high <= 135


def test_a_probable_cause_closes_what_the_trials_leave_open() -> None:
    low, middle, high = minutes(onset(picture(40, 140), 0.97))
    assert 65 <= low <= middle <= 75
    assert middle >= 69
    assert high < 110


def test_a_cause_does_not_outweigh_trials_that_are_sure() -> None:
    low, middle, high = minutes(onset(picture(100, 104), 0.97))
    assert 100 <= low <= middle <= high <= 103


def test_it_never_began_after_it_was_noticed() -> None:
    assert minutes(onset(picture(40, 140), 0.0, opened_min=60))[1:] == (60, 60)
