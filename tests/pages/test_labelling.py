"""Labels on the page and over the API: what they would change, taken back, and by whom."""

import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from recoup.domain.access import Scope
from recoup.domain.facts import (
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    IncidentOpened,
    NewFact,
    Resolution,
    VerificationStarted,
)
from recoup.domain.proposals import Verdict
from recoup.keys import KeyRing
from recoup.web.app import build_web


def label(world: Any, incident_id: str) -> None:
    given = FeedbackGiven(incident_id=incident_id, label="false_positive", by="anna")
    at = world.app.clock.now()
    new = NewFact(fact_id=f"label:{incident_id}", fact=given, occurred_at=at)
    world.app.store.append(incident_id, [new])


def again(world: Any, name: str) -> str:
    """Open another incident of the same pattern, an hour's blink apart."""
    (first,) = [
        entry.fact
        for entry in world.app.store.read_stream(world.incident_id)
        if isinstance(entry.fact, IncidentOpened)
    ]
    other = first.model_copy(update={"incident_id": name})
    new = NewFact(fact_id=f"opened:{name}", fact=other, occurred_at=first.opened_at)
    world.app.store.append(name, [new])
    return name


def withdrawn(world: Any) -> list[FeedbackWithdrawn]:
    entries = world.app.store.read_stream(world.incident_id)
    return [e.fact for e in entries if isinstance(e.fact, FeedbackWithdrawn)]


def test_the_page_says_before_the_label_what_it_would_have_changed(
    client: TestClient, world: Any
) -> None:
    path = f"/incidents/{world.incident_id}"
    assert "would have kept none from opening" in unescape(client.get(path).text)
    label(world, again(world, "inc_b"))
    again(world, "inc_c")
    page = unescape(client.get(path).text)
    assert "this label would have kept 1 from opening" in page
    found = client.get(f"/v1{path}/feedback", headers={"Accept": "application/json"}).json()
    assert (found["removed"], found["hidden"], found["is_normal"]) == (["inc_c"], [], False)


def test_a_label_is_taken_back_on_the_page(client: TestClient, world: Any) -> None:
    path = f"/incidents/{world.incident_id}"
    assert "Called normal" not in client.get(path).text
    label(world, world.incident_id)
    page = client.get(path).text
    assert "Called normal" in page
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf
    form = {"csrf": csrf[1], "reason": "it was <real>"}
    cross = client.post(f"{path}/unlabel", data=form, headers={"Origin": "https://evil.example"})
    assert cross.status_code in (401, 403)
    assert client.post(f"{path}/unlabel", data={"reason": "x"}).status_code == 403
    assert withdrawn(world) == []
    sent = client.post(f"{path}/unlabel", data=form)
    assert sent.status_code == 303
    assert withdrawn(world)[0].reason == "it was <real>"
    page = client.get(sent.headers["location"]).text
    assert "Taken back; what was learned" in page
    assert "took back that this was a false positive. Reason: it was &lt;real&gt;" in page
    assert client.post(f"{path}/unlabel", data=form).status_code == 422, "there is nothing more"


@pytest.mark.parametrize("may", [False, True])
def test_only_who_may_label_may_take_back(world: Any, may: bool) -> None:
    label(world, world.incident_id)
    ring = KeyRing(world.app.store, world.app.clock)
    scopes = (Scope.INCIDENTS_READ, Scope.DECIDE) if may else (Scope.INCIDENTS_READ,)
    _, key = ring.create("somebody", scopes, "me")
    path, web = f"/incidents/{world.incident_id}", build_web(world.app, world.desk)
    with TestClient(web, follow_redirects=False) as client:
        bearer = {"Authorization": f"Bearer {key}"}
        assert client.get(f"/v1{path}/feedback").status_code == 401
        assert client.get(f"/v1{path}/feedback", headers=bearer).json()["is_normal"]
        client.headers["Accept"] = "text/html"
        token = re.search(r'name="csrf" value="([^"]+)"', client.get("/signin").text)
        assert token
        client.post("/signin", data={"key": key, "csrf": token[1]})
        page = client.get(path).text
        assert ("Take it back" in page) is may
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token
        sent = client.post(f"{path}/unlabel", data={"csrf": token[1]})
        assert sent.status_code == (303 if may else 403)
        assert len(withdrawn(world)) == may
        over_api = client.delete(f"/v1{path}/feedback", headers=bearer)
        assert over_api.status_code == (422 if may else 403), "once, and with the right"


def test_what_was_taken_back_can_be_said_again(client: TestClient, world: Any) -> None:
    path = f"/v1/incidents/{world.incident_id}/feedback"
    said = {"label": "expected", "by": "anna"}
    assert client.post(path, json=said).status_code == 202
    assert client.delete(path).status_code == 200
    assert client.get(path).json()["is_normal"] is False
    assert client.post(path, json=said).status_code == 202
    assert client.get(path).json()["is_normal"] is True


def end(world: Any) -> None:
    at = world.app.clock.now()
    closed = IncidentClosed(
        incident_id=world.incident_id, resolution=Resolution.RECOVERED_ON_ITS_OWN, closed_at=at
    )
    new = NewFact(fact_id="end", fact=closed, occurred_at=at)
    world.app.store.append(world.incident_id, [new])


def given(world: Any) -> list[FeedbackGiven]:
    entries = world.app.store.read_stream(world.incident_id)
    return [e.fact for e in entries if isinstance(e.fact, FeedbackGiven)]


def token_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize("label", ["false_positive", "expected", "confirmed"])
def test_a_closed_incident_is_called_what_it_was(
    client: TestClient, world: Any, label: str
) -> None:
    path = f"/incidents/{world.incident_id}"
    assert "What was it?" not in client.get(path).text, "while it waits, its form has the button"
    end(world)
    page = client.get(path).text
    assert "What was it?" in page
    assert f'value="{label}"' in page
    form = {"csrf": token_of(page), "label": label, "reason": "a <rehearsal>"}
    cross = client.post(f"{path}/label", data=form, headers={"Origin": "https://evil.example"})
    assert cross.status_code in (401, 403)
    assert client.post(f"{path}/label", data=form | {"csrf": "x"}).status_code == 403
    assert client.post(f"{path}/label", data=form | {"label": "<b>"}).status_code == 422
    assert given(world) == []
    sent = client.post(f"{path}/label", data=form)
    assert sent.status_code == 303
    (fact,) = given(world)
    assert (fact.label, fact.by, fact.reason) == (label, "page:operator", "a <rehearsal>")
    page = client.get(sent.headers["location"]).text
    assert ("Called normal" in page) is (label != "confirmed")
    assert world.desk.decisions == []


def test_an_incident_that_asks_nothing_can_be_called_a_false_positive(
    client: TestClient, world: Any
) -> None:
    """While an action is under test there is no proposal to answer, yet people may say it."""
    begun = VerificationStarted(incident_id=world.incident_id, since=world.app.clock.now())
    new = NewFact(fact_id="begun", fact=begun, occurred_at=world.app.clock.now())
    world.app.store.append(world.incident_id, [new])
    path = f"/incidents/{world.incident_id}"
    page = client.get(path).text
    assert "Is it nothing?" in page
    form = {"csrf": token_of(page), "label": "false_positive", "reason": "a rehearsal"}
    assert client.post(f"{path}/label", data=form).status_code == 303
    (decision,) = world.desk.decisions
    assert (decision.verdict, decision.surface) == (Verdict.FALSE_POSITIVE, "page")
    assert given(world) == []


def test_who_may_only_look_is_not_asked_what_it_was(world: Any) -> None:
    end(world)
    ring = KeyRing(world.app.store, world.app.clock)
    _, key = ring.create("somebody", (Scope.INCIDENTS_READ,), "me")
    path = f"/incidents/{world.incident_id}"
    with TestClient(build_web(world.app, world.desk), follow_redirects=False) as client:
        client.headers["Accept"] = "text/html"
        client.post("/signin", data={"key": key, "csrf": token_of(client.get("/signin").text)})
        page = client.get(path).text
        assert "What was it?" not in page
        form = {"csrf": token_of(page), "label": "expected", "reason": "x"}
        assert client.post(f"{path}/label", data=form).status_code == 403
    assert given(world) == []
