"""Labels from the command line: the same rights and rules as on the page and over the API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recoup.app import App, build
from recoup.cli import build as build_cli
from recoup.demo.standins.running import Running
from recoup.domain.access import Scope
from recoup.domain.facts import (
    Fact,
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    IncidentOpened,
    NewFact,
    Resolution,
)
from recoup.domain.proposals import Decision, DecisionAnswer, Verdict
from recoup.keys import KeyRing
from recoup.settings import load
from recoup.web.app import build_web
from tests.workflows.ports import INCIDENT, START, World


class Desk:
    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    async def decide(self, decision: Decision) -> DecisionAnswer:
        self.decisions.append(decision)
        return DecisionAnswer(accepted=False, text="The incident is being closed already.")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    built = build(load(data_dir=tmp_path))
    opened = World().log.facts(IncidentOpened)[0]
    built.store.append(INCIDENT, [NewFact(fact_id="opened", fact=opened, occurred_at=START)])
    yield built
    built.store.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def url(app: App, desk: Desk) -> Iterator[str]:
    with Running(build_web(app, desk)) as server:
        yield server.url


def end(app: App) -> None:
    closed = IncidentClosed(incident_id=INCIDENT, resolution=Resolution.NOTED, closed_at=START)
    app.store.append(INCIDENT, [NewFact(fact_id="closed", fact=closed, occurred_at=START)])


def recoup(url: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build_cli(), ["feedback", *arguments, "--url", url])
    return done.exit_code, done.output + str(done.exception or "")


def said(app: App, kind: type[Fact]) -> list[Fact]:
    entries = app.store.read_stream(INCIDENT)
    return [entry.fact for entry in entries if isinstance(entry.fact, kind)]


def test_a_label_is_given_and_taken_back(app: App, url: str) -> None:
    end(app)
    code, text = recoup(url, "give", INCIDENT, "expected", "--reason", "the weekly sale")
    assert (code, "Noted" in text) == (0, True)
    assert recoup(url, "give", INCIDENT, "expected", "--reason", "again")[0] == 0
    (given,) = said(app, FeedbackGiven)
    assert isinstance(given, FeedbackGiven)
    assert (given.label, given.reason) == ("expected", "the weekly sale")
    assert recoup(url, "undo", INCIDENT, "--reason", "it was real")[0] == 0
    (back,) = said(app, FeedbackWithdrawn)
    assert isinstance(back, FeedbackWithdrawn)
    assert (back.by, back.reason) == ("api:operator", "it was real")
    code, text = recoup(url, "undo", INCIDENT)
    assert code != 0
    assert "nothing to take back" in text


def test_an_open_incident_is_decided_by_its_workflow(app: App, url: str, desk: Desk) -> None:
    code, text = recoup(url, "give", INCIDENT, "false_positive", "--reason", "a rehearsal")
    assert (code, "being closed already" in text) == (1, True)
    assert (desk.decisions[0].verdict, desk.decisions[0].reason) == (
        Verdict.FALSE_POSITIVE,
        "a rehearsal",
    )
    assert said(app, FeedbackGiven) == []


@pytest.mark.parametrize("command", [("give", "expected", "--reason", "x"), ("undo",)])
def test_who_may_only_look_may_neither_label_nor_take_back(
    app: App, url: str, command: tuple[str, ...]
) -> None:
    end(app)
    given = FeedbackGiven(incident_id=INCIDENT, label="false_positive", by="anna")
    app.store.append(INCIDENT, [NewFact(fact_id="label", fact=given, occurred_at=START)])
    _, key = KeyRing(app.store, app.clock).create("looker", (Scope.INCIDENTS_READ,), "me")
    before = app.store.head()
    for more, reason in ((("--key", key), "lacks the scope decide"), ((), "valid API key")):
        code, text = recoup(url, command[0], INCIDENT, *command[1:], *more)
        assert code != 0
        assert reason in text
    assert app.store.head() == before


@pytest.mark.parametrize(
    "command",
    [("give", "inc_9", "expected", "--reason", "x"), ("undo", "inc_9"), ("undo", INCIDENT)],
)
def test_what_cannot_be_is_refused(app: App, url: str, command: tuple[str, ...]) -> None:
    before = app.store.head()
    assert recoup(url, *command)[0] != 0
    assert app.store.head() == before
