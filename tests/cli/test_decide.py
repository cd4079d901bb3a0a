"""Deciding without a chat: the command line and the API obey the rules that the buttons obey."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recoup.app import App, build
from recoup.cli import build as build_cli
from recoup.demo.standins.running import Running
from recoup.domain.facts import IncidentOpened, NewFact, ProposalMade
from recoup.domain.proposals import ApprovalRule, Decision, DecisionAnswer, Proposal
from recoup.settings import load
from recoup.web.app import build_web
from tests.workflows.ports import INCIDENT, START, World
from workflows.approvals import Gate, open_gate, rule

RUN = CliRunner()


class RuleDesk:
    """Applies the workflow's own rules to one gate."""

    def __init__(self) -> None:
        self.gate: Gate | None = None
        self.decisions: list[Decision] = []

    async def decide(self, decision: Decision) -> DecisionAnswer:
        ruling = rule(self.gate, decision, START)
        self.gate = ruling.gate
        self.decisions.append(decision)
        return ruling.answer


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    built = build(load(data_dir=tmp_path))
    yield built
    built.store.close()


@pytest.fixture
def desk(app: App) -> RuleDesk:
    opened = World().log.facts(IncidentOpened)[0]
    made = Proposal(
        proposal_id=f"{INCIDENT}:1",
        version=1,
        incident_id=INCIDENT,
        playbook="flag_rollback",
        change_id="chg",
        title="Turn it off",
        calls=(),
        approval=ApprovalRule(roles=("approver",)),
        alternatives=("notify_only",),
        state_hash="hash",
        nonce="nonce",
        made_at=START,
        expires_at=START + timedelta(minutes=30),
    )
    asked = ProposalMade(incident_id=INCIDENT, proposal=made)
    for number, fact in enumerate((opened, asked)):
        app.store.append(INCIDENT, [NewFact(fact_id=f"f{number}", fact=fact, occurred_at=START)])
    desk = RuleDesk()
    desk.gate = open_gate(made, START, timedelta(minutes=30))
    return desk


@pytest.fixture
def url(app: App, desk: RuleDesk) -> Iterator[str]:
    with Running(build_web(app, desk)) as server:
        yield server.url


def recoup(url: str, *arguments: str, say: str = "") -> tuple[int, str]:
    done = RUN.invoke(build_cli(), ["decide", INCIDENT, *arguments, "--url", url], input=say)
    return done.exit_code, done.output + str(done.exception or "")


def test_an_approval_shows_what_it_does_asks_once_and_is_bound(url: str, desk: RuleDesk) -> None:
    code, said = recoup(url, "approve", say="y\n")
    assert code == 0
    assert "Turn it off" in said
    assert "Approved" in said
    assert (desk.decisions[0].nonce, desk.decisions[0].state_hash) == ("nonce", "hash")
    code, said = recoup(url, "approve", "--yes")
    assert code == 1
    assert "Already decided: approved" in said


def test_saying_no_to_the_question_decides_nothing(url: str, desk: RuleDesk) -> None:
    assert recoup(url, "approve", say="n\n")[0] == 1
    assert desk.decisions == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("approve", "--yes", "--proposal", "7"), "proposal 1 is open, not 7"),
        (("reject",), "--reason is needed"),
        (("other_playbook",), "--playbook is needed"),
        (("other_playbook", "--playbook", "rm_rf"), "cannot be used here"),
    ],
)
def test_what_cannot_be_decided_says_why(url: str, arguments: tuple[str, ...], text: str) -> None:
    code, said = recoup(url, *arguments)
    assert code != 0
    assert text in said


def test_the_other_words_work_too(url: str, desk: RuleDesk) -> None:
    code, said = recoup(url, "snooze", "--minutes", "60", "--json")
    assert (code, json.loads(said)["accepted"]) == (0, True)
    assert recoup(url, "acknowledge")[0] == 0
    assert recoup(url, "other_playbook", "--playbook", "notify_only")[0] == 0
    assert [each.verdict.value for each in desk.decisions] == [
        "snooze",
        "acknowledge",
        "other_playbook",
    ]
    assert len({each.decision_id for each in desk.decisions}) == 3


def test_an_unknown_incident_and_a_server_that_is_away_are_named(url: str) -> None:
    done = RUN.invoke(build_cli(), ["decide", "inc_none", "acknowledge", "--url", url])
    assert "no incident" in str(done.exception)
    assert "cannot reach Recoup" in recoup("http://127.0.0.1:9", "acknowledge")[1]
