"""Whatever an incident holds, its message, forms and home tab keep every limit of Block Kit."""

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from integrations.slack.blocks import fallback, message
from integrations.slack.forms import other_form, reason_form
from integrations.slack.text import MARK, outside, plain, size
from integrations.slack.tickets import NotATicket, Ticket
from recoup.demo.standins.slack_limits import MOST_TEXT, refusal, texts_of
from recoup.domain.cohort import Cohort
from recoup.domain.facts import IncidentKind, Resolution, Severity
from recoup.domain.hypotheses import Attribution, Finding, Hypothesis
from recoup.domain.incident import Incident, Status
from recoup.domain.money import Impact, MoneyRange
from recoup.domain.proposals import (
    ActionCall,
    ActionPreview,
    ApprovalRule,
    Decision,
    Person,
    Proposal,
    Verdict,
)

NASTY = st.sampled_from(
    [
        "<!channel>",
        "<https://evil.example|Approve>",
        "<@U1>",
        "*_~`bold`~_*",
        "a&lt;b & c<d>e",
        "\n\n> quote\n",
        ":rotating_light: :white_check_mark:",
        "👩‍👩‍👧‍👦" * 400,
        "&" * 4000,
        "_" * 5000,
        "x" * 20_000,
        "\x00\x07\u202e",
        "",
        "|",
    ]
)
TEXT = NASTY | st.text(max_size=400)
RATE = st.floats(min_value=-10, max_value=1e6)
TIME = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MONEY = st.builds(MoneyRange, low=RATE, mid=RATE, high=RATE, currency=TEXT)
PEOPLE = st.builds(Person, id=TEXT, name=TEXT)
PREVIEWS = st.lists(
    st.builds(ActionPreview, key=TEXT, action=TEXT, target=TEXT, summary=TEXT, touched=TEXT),
    max_size=9,
).map(tuple)
PROPOSALS = st.builds(
    Proposal,
    proposal_id=st.just("inc:1") | TEXT,
    version=st.integers(0, 10**9),
    incident_id=TEXT,
    playbook=TEXT,
    change_id=TEXT,
    title=TEXT,
    reason=TEXT,
    risk=TEXT,
    calls=st.lists(st.builds(ActionCall, key=TEXT, action=TEXT), max_size=3).map(tuple),
    previews=PREVIEWS,
    suggested=PREVIEWS,
    approval=st.builds(
        ApprovalRule,
        roles=st.lists(TEXT, max_size=9).map(tuple),
        quorum=st.integers(1, 10),
        not_requester=st.booleans(),
    ),
    alternatives=st.lists(TEXT, max_size=130).map(tuple),
    requested_by=st.lists(TEXT, max_size=3).map(tuple),
    state_hash=st.just("hash") | TEXT,
    nonce=st.just("nonce") | TEXT,
    made_at=TIME,
    expires_at=TIME,
)
DECISIONS = st.builds(
    Decision,
    decision_id=TEXT,
    incident_id=TEXT,
    proposal_id=st.just("inc:1") | TEXT,
    verdict=st.sampled_from(Verdict),
    by=PEOPLE,
    at=TIME,
    surface=TEXT,
    reason=TEXT,
)
HYPOTHESES = st.builds(
    Hypothesis,
    change_id=TEXT,
    title=TEXT,
    probability=st.floats(0, 1),
    findings=st.lists(st.builds(Finding, kind=TEXT, weight=RATE, text=TEXT), max_size=4).map(tuple),
)
IMPACTS = st.builds(Impact, at_risk_per_hour=MONEY, lost_so_far=MONEY)
INCIDENTS = st.builds(
    Incident,
    id=st.just("inc_0123456789abcdef0123") | TEXT,
    version=st.integers(0, 10**6),
    status=st.sampled_from(Status),
    kind=st.sampled_from(IncidentKind),
    severity=st.sampled_from(Severity),
    metric=TEXT,
    cohort=st.dictionaries(TEXT, TEXT, max_size=4).map(Cohort),
    direction=st.sampled_from(["drop", "rise"]),
    onset_at=TIME,
    opened_at=TIME,
    expected=RATE,
    observed=RATE,
    trials=RATE,
    at_risk_per_hour=MONEY,
    shadow=st.booleans(),
    attribution=st.none()
    | st.builds(
        Attribution,
        roots=st.just((Cohort({}),)),
        hypotheses=st.lists(HYPOTHESES, min_size=1, max_size=5).map(tuple),
        impact=IMPACTS,
        evidence_until=TIME,
    ),
    proposal=st.none() | PROPOSALS,
    decisions=st.lists(DECISIONS, max_size=7).map(tuple),
    resolution=st.none() | st.sampled_from(Resolution),
    impact=st.none() | IMPACTS,
    recovered_per_hour=st.none() | MONEY,
)
CHARTS = st.sampled_from([None, {"id": "F1"}, {"url": "https://recoup.example/c.png"}])
LINK = re.compile(r"<(https?://[^|>]+\|Open the incident|!date\^\d+\^\{time\}\|\d\d:\d\d UTC)>")


@given(INCIDENTS, CHARTS)
@settings(max_examples=100, deadline=None)
def test_a_message_keeps_every_limit_and_carries_nothing_active_from_outside(
    incident: Incident, chart: dict[str, str] | None
) -> None:
    blocks = message(incident, "https://recoup.example", chart)
    assert refusal(blocks, {"F1"}) == ""
    assert sum(size(text) for text in texts_of(blocks)) <= MOST_TEXT
    assert json.loads(json.dumps(blocks)) == blocks
    for block in blocks:
        for text in _mrkdwn(block):
            assert "<" not in LINK.sub("", text)
    assert 0 < size(fallback(incident)) <= 3000
    assert "<" not in fallback(incident)


@given(PROPOSALS, INCIDENTS)
@settings(max_examples=100, deadline=None)
def test_forms_keep_their_limits(proposal: Proposal, incident: Incident) -> None:
    ticket = Ticket.of(incident)
    assume(ticket.fits)
    views = [
        reason_form("reject", ticket),
        reason_form("false_positive", ticket, incident.metric * 40),
    ]
    if proposal.alternatives:
        views.append(other_form(proposal, ticket))
    for view in views:
        assert refusal(view["blocks"], set(), 100) == ""
        assert len(view["title"]["text"]) <= 24
        assert len(view["private_metadata"]) <= 3000
        for block in view["blocks"]:
            options = block.get("element", {}).get("options", [])
            assert len(options) <= 100
            assert all(0 < len(option["text"]["text"]) <= 75 for option in options)


@given(INCIDENTS)
@settings(max_examples=100, deadline=None)
def test_a_ticket_survives_the_way_through_slack_or_is_not_given_out(incident: Incident) -> None:
    ticket = Ticket.of(incident)
    blocks = message(incident, "https://recoup.example")
    actions = [block for block in blocks if block["type"] == "actions"]
    if not ticket.fits:
        assert actions == []
        return
    for block in actions:
        assert Ticket.read(block["block_id"]) == ticket
        for element in block["elements"]:
            assert Ticket.read(element.get("value", block["block_id"])) == ticket


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_ticket(text: str) -> None:
    try:
        ticket = Ticket.read(text)
    except NotATicket:
        return
    assert ticket.incident_id


@given(TEXT, st.integers(1, 400))
def test_text_from_outside_fits_and_reads_the_same(text: str, limit: int) -> None:
    shown = outside(text, limit)
    assert size(shown) <= limit
    assert "\n" not in shown
    back = html.unescape(shown.replace(MARK, ""))
    assert plain(text, 10**6, empty="").startswith(back.removesuffix("…"))
    assert 0 < size(plain(text, limit)) <= limit


def _mrkdwn(value: Any) -> list[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            return [value["text"]]
        return [text for part in value.values() for text in _mrkdwn(part)]
    return [text for part in value for text in _mrkdwn(part)] if isinstance(value, list) else []
