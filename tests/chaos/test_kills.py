"""Killed at random moments under load: nothing acknowledged is lost, doubled or seen otherwise.

The everyday suite kills a few times; ``make chaos`` fifty times on each back end.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from detectors.engine import DetectionConfig, DetectionEngine
from recoup.domain.facts import Recorded
from recoup.domain.series import EventBlock
from store.audit import verify
from store.opening import Store, open_from

DETECTOR = "detector"
LINES_A_BODY = 60
BODIES_A_KILL = 12
VICTIMS = (["api"], ["detect"], ["api", "detect"])
FOUND = ("alarm.raised", "incident.opened", "incident.updated", "incident.cohort_recovered")


@dataclass(frozen=True)
class Load:
    """What is sent, and how often what is killed."""

    kills: int
    seed: int
    least_bodies: int = 150

    @property
    def bodies(self) -> int:
        return max(self.least_bodies, self.kills * BODIES_A_KILL + 40)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """The database URL as the settings take it; empty for SQLite."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(2, seed=1), id="2 kills"),
        pytest.param(Load(50, seed=2), id="50 kills", marks=pytest.mark.chaos),
    ],
)
@pytest.mark.timeout(3600)
def test_roles_killed_under_load(url: str, load: Load, place: Callable[[str], Any]) -> None:
    here = place(url)
    senders = here.senders(load.bodies, LINES_A_BODY, load.seed)
    chance = random.Random(load.seed)
    roles = here.roles
    for role in ("api", "detect"):
        roles.start(role)
    for role in ("api", "detect"):
        roles.wait_ready(role)
    senders.start()
    for number in range(load.kills):
        victims = chance.choice(VICTIMS) if number else VICTIMS[-1]
        _some_load(senders, chance.randrange(2, BODIES_A_KILL))
        if number and chance.random() < 0.2:  # also while it is only coming up again
            roles.kill(victims[0])
            roles.start(victims[0])
            time.sleep(chance.uniform(0, 2))
        for role in victims:
            roles.kill(role)
        for role in victims:
            roles.start(role)
        for role in victims:
            roles.wait_ready(role)
    _judge(here, senders, load.kills)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_serve_killed_under_load(url: str, place: Callable[[str], Any]) -> None:
    """The supervisor with all of its children, Temporal included."""
    load = Load(50, seed=3)
    here = place(url)
    senders = here.senders(load.bodies, LINES_A_BODY, load.seed)
    chance = random.Random(load.seed)
    here.roles.start("serve")
    here.roles.wait_ready("serve")
    senders.start()
    for _ in range(load.kills):
        _some_load(senders, chance.randrange(2, BODIES_A_KILL))
        here.roles.kill("serve")
        here.roles.start("serve")
        here.roles.wait_ready("serve")
    _judge(here, senders, load.kills)


def _some_load(senders: Any, bodies: int) -> None:
    """Let senders send, and return when half of it is acknowledged: the rest is under way."""
    before = senders.acknowledged
    senders.allow(bodies)
    deadline = time.monotonic() + 60
    while senders.acknowledged < before + bodies // 2:
        assert time.monotonic() < deadline, "nothing is acknowledged any more"
        time.sleep(0.001)


def _judge(here: Any, senders: Any, kills: int) -> None:
    senders.finish(within_s=600)
    assert senders.problems == []
    store = open_from(here.settings)
    try:
        _wait_for_detector(store)
        here.roles.stop()
        _is_exactly_once(store, senders)
        _is_as_if_undisturbed(store, here.settings)
        assert verify(store.database).is_whole
        stats = store.stats()
        print(  # noqa: T201 - the figures of a long run, shown by pytest -s
            f"\n{kills} kills: {senders.acknowledged} bodies acknowledged after "
            f"{senders.failures} tries that failed; {stats.events} events once each, "
            f"{stats.duplicates} repeats known for repeats"
        )
    finally:
        store.close()


def _wait_for_detector(store: Store) -> None:
    deadline = time.monotonic() + 600
    while store.checkpoint(DETECTOR) < store.head():
        assert time.monotonic() < deadline, "the detector does not get to the end of the log"
        time.sleep(0.1)


def _records(store: Store) -> Iterator[EventBlock | Recorded]:
    position = 0
    while records := store.read(position, 20_000):
        yield from records
        last = records[-1]
        is_block = isinstance(last, EventBlock)
        position = last.first_position + last.count - 1 if is_block else last.position


def _is_exactly_once(store: Store, senders: Any) -> None:
    sent = {json.loads(line)["id"]: line for body in senders.bodies for line in body.splitlines()}
    blocks = [record for record in _records(store) if isinstance(record, EventBlock)]
    stored = [json.loads(line) for block in blocks for line in block.data.splitlines()]
    counts = Counter(event["id"] for event in stored)
    assert set(counts) == set(sent), "acknowledged events are missing, or others are there"
    assert set(counts.values()) == {1}
    assert senders.accepted <= len(sent) == store.stats().events
    # Nor did a pseudonym get lost on the way: a person is the same one before and after.
    people: dict[str, set[str]] = {}
    for event in stored:
        user = json.loads(sent[event["id"]])["user"]
        people.setdefault(user, set()).add(event["user"])
    assert {len(pseudonyms) for pseudonyms in people.values()} == {1}


def _is_as_if_undisturbed(store: Store, settings: Any) -> None:
    """A detector that reads the same log in one go finds the same, in the same order."""
    config = DetectionConfig.from_settings(settings.detect, currency=settings.currency)
    engine = DetectionEngine(config)
    found = []
    for record in _records(store):
        if isinstance(record, EventBlock):
            engine.observe_events(record)
        else:
            engine.observe_fact(record)
        found += [(new.fact_id, new.fact) for _, new in engine.advance().facts]
    then = [(entry.fact_id, entry.fact) for entry in store.read_facts(0, 10_000, FOUND)]
    assert any(fact.type_name == "incident.opened" for _, fact in then), "the fault went unseen"
    assert then == found
