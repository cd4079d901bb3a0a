"""Floods without intent are told from losses, also where few people are."""

import numpy as np

from detectors.kinds import Harm, Usual, kind_of
from detectors.localising import Exposed, exposed_since
from detectors.sessions import plan_of
from detectors.trials import TrialTable
from recoup.domain.facts import IncidentKind
from recoup.settings import DEFAULT_FUNNEL

MINUTE = 60_000
NOW = 1000 * MINUTE
PLAN = plan_of(DEFAULT_FUNNEL)
BROWSE, ADD = 0, 1


def table_of(rows: list[tuple[int, int, bool]]) -> TrialTable:
    """Return trials (metric, minute of exposure, success) of one leaf, predicted at a half."""
    table = TrialTable([10 * MINUTE] * len(PLAN.names))
    rows = sorted(rows, key=lambda row: row[1])
    metric, minute, success = (np.array(column) for column in zip(*rows, strict=True))
    exposed = minute * MINUTE
    won = np.where(success, exposed + 1000, -1)
    zeros = np.zeros(len(rows), dtype=np.int64)
    table.admit(metric, exposed, zeros, won, np.full(len(rows), 0.5))
    table.refresh()
    return table


def kind(table: TrialTable, metric: int, onset_ms: int) -> IncidentKind:
    def everyone(trials: Exposed) -> Exposed:
        return trials

    def as_ever(_metric: int, _since_ms: int) -> Usual:
        return Usual(1.0, None, None)

    trials = exposed_since(table, metric, metric < PLAN.steps, onset_ms, NOW)
    return kind_of(Harm(metric, trials, onset_ms, NOW), PLAN, table, as_ever, everyone)


def usual(metric: int, since: int, until: int, each: int) -> list[tuple[int, int, bool]]:
    """Return a trial every so many minutes; every second one succeeds."""
    minutes = range(since, until, each)
    return [(metric, minute, place % 2 == 0) for place, minute in enumerate(minutes)]


def flood(metric: int, since: int, a_minute: int) -> list[tuple[int, int, bool]]:
    return [(metric, minute, False) for minute in range(since, 1000) for _ in range(a_minute)]


def test_many_who_look_and_do_not_add_are_a_flood() -> None:
    people = usual(BROWSE, 700, 1000, 5) + usual(ADD, 700, 1000, 10)
    robots = flood(BROWSE, 985, 10) + flood(ADD, 985, 2)
    assert kind(table_of(people + robots), ADD, 985 * MINUTE) is IncidentKind.TRAFFIC


def test_as_many_as_ever_of_whom_none_adds_are_a_loss() -> None:
    people = usual(BROWSE, 700, 1000, 1) + usual(ADD, 700, 985, 1)
    assert kind(table_of(people + flood(ADD, 985, 1)), ADD, 985 * MINUTE) is IncidentKind.BUSINESS


def test_a_flood_may_be_dated_too_early() -> None:
    people = usual(BROWSE, 600, 1000, 10) + usual(ADD, 600, 880, 10) + usual(ADD, 880, 990, 20)
    robots = flood(BROWSE, 990, 6) + flood(ADD, 990, 3)
    assert kind(table_of(people + robots), ADD, 860 * MINUTE) is IncidentKind.TRAFFIC


def test_a_late_crowd_does_not_explain_what_was_lost_before_it() -> None:
    people = usual(BROWSE, 600, 1000, 1) + usual(ADD, 600, 860, 1) + flood(ADD, 860, 1)
    robots = flood(BROWSE, 990, 6) + flood(ADD, 990, 3)
    assert kind(table_of(people + robots), ADD, 860 * MINUTE) is IncidentKind.BUSINESS


def test_errors_that_robots_bring_are_traffic() -> None:
    people = usual(BROWSE, 700, 1000, 5) + usual(ADD, 700, 1000, 10)
    robots = flood(BROWSE, 985, 10) + flood(ADD, 985, 2)
    errors = [(PLAN.error, minute, True) for minute in range(985, 1000)]
    assert kind(table_of(people + robots + errors), PLAN.error, 985 * MINUTE) is (
        IncidentKind.TRAFFIC
    )
    calm = people + errors
    assert kind(table_of(calm), PLAN.error, 985 * MINUTE) is IncidentKind.BUSINESS
