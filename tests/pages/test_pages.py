"""The pages over HTTP: what they show, that it agrees with the log, and what they refuse."""

import re
import time
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from recoup.domain.facts import CausesRanked, InvestigationStepTaken, NewFact
from recoup.web.app import build_web
from recoup.web.looking import Looking
from recoup.web.lookups import change_of, cohort_from

FLAG = "launchdarkly:payment-widget-v2:7"
PATHS = ("/", "/incidents", "/cohorts", "/changes", "/playbooks", "/business", "/audit",
         "/settings", "/signin")  # fmt: skip


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize("path", PATHS)
def test_pages_have_one_heading_and_nothing_that_the_policy_would_stop(
    client: TestClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<h1") == 1
    assert " style=" not in answer.text
    assert "<script>" not in answer.text
    assert re.search(r"\son[a-z]+=", answer.text) is None
    assert re.search(r'(src|href)="https?:', answer.text) is None


@pytest.mark.parametrize("path", PATHS)
def test_pages_of_an_empty_recoup_say_what_to_do(empty: TestClient, path: str) -> None:
    answer = empty.get(path)
    assert answer.status_code == 200
    assert ">None<" not in answer.text


def test_the_overview_shows_the_incident_the_broken_step_and_its_cohort(
    client: TestClient, world: Any
) -> None:
    page = client.get("/").text
    assert f'href="/incidents/{world.incident_id}"' in page
    assert "far worse" in text_of(page)
    assert 'where=os%3DiOS+16' in page  # fmt: skip
    assert "search 2.14" in page


def test_an_incident_shows_the_steps_of_the_ranking_that_is_shown(
    client: TestClient, world: Any
) -> None:
    incident = world.app.store.incidents.get(world.incident_id)
    for version, said in ((2, "nothing leads yet"), (3, "the flag leads with 96%")):
        facts = [
            InvestigationStepTaken(
                incident_id=incident.id, step="timing", summary=f"3 known changes; {said}."
            ),
            CausesRanked(
                incident_id=incident.id, version=version, attribution=incident.attribution
            ),
        ]
        new = [
            NewFact(fact_id=f"ranking-{version}-{n}", fact=fact, occurred_at=incident.opened_at)
            for n, fact in enumerate(facts)
        ]
        world.app.store.append(incident.id, new)
    page = text_of(client.get(f"/incidents/{incident.id}").text)
    assert "the flag leads with 96%" in page.partition("Investigation")[2]
    assert "nothing leads yet" not in page.partition("Investigation")[2]


def test_an_incident_shows_evidence_for_and_against_the_chart_as_words_and_the_form(
    client: TestClient, world: Any
) -> None:
    page = client.get(f"/incidents/{world.incident_id}").text
    assert "payment-widget-v2 &lt;on&gt;" in page
    assert '<svg class="wide" viewBox="0 0 860 260" role="img"' in page
    assert "onset is marked" in text_of(page)
    assert "The same as a table" in page
    assert 'name="nonce" value="nonce"' in page
    assert "EUR" in text_of(page)


def test_a_decision_carries_what_the_page_showed(client: TestClient, world: Any) -> None:
    csrf = re.search(
        r'name="csrf" value="([^"]+)"', client.get(f"/incidents/{world.incident_id}").text
    )
    assert csrf
    form = {"proposal_id": "prop_1", "proposal_version": "1", "nonce": "nonce", "csrf": csrf[1]}
    sent = client.post(
        f"/incidents/{world.incident_id}/decide",
        data={**form, "verdict": "reject", "reason": "it is <not> that"},
    )
    assert sent.status_code == 303
    decision = world.desk.decisions[0]
    assert (decision.proposal_id, decision.proposal_version, decision.nonce) == (
        "prop_1",
        1,
        "nonce",
    )
    assert (decision.verdict, decision.reason, decision.surface) == (
        "reject",
        "it is <not> that",
        "page",
    )
    shown = client.get(sent.headers["location"]).text
    assert "Noted: reject." in shown
    assert client.post(f"/incidents/{world.incident_id}/decide",
                       data={**form, "verdict": "explode"}).status_code == 422  # fmt: skip


def test_another_sites_form_is_refused(client: TestClient, world: Any) -> None:
    sent = client.post(
        f"/incidents/{world.incident_id}/decide",
        data={"verdict": "approve"},
        headers={"Origin": "https://evil.example"},
    )
    assert sent.status_code in (401, 403)
    assert world.desk.decisions == []


def test_any_cohort_can_be_looked_up(client: TestClient, world: Any) -> None:
    step = "checkout_started->order_completed"
    query = "&".join(f"where={quote(each)}" for each in ("os=iOS 16", "campaign=ig_sale"))
    page = text_of(client.get(f"/cohorts?{query}&metric={quote(step)}&hours=3").text)
    assert "campaign=ig_sale, os=iOS 16" in page
    assert "payment-widget-v2 <on>" in page
    looking = Looking.load(world.app.store, 0, 10**14)
    total = looking.course(step, {"os": "iOS 16", "campaign": "ig_sale"}).total()
    parts = looking.by_value({"campaign": "ig_sale"})[("os", "iOS 16")][step]
    assert total.trials == pytest.approx(parts.trials)
    assert 0 < total.trials < looking.course(step, {}).total().trials


def test_a_misspelt_cohort_is_empty_and_a_bad_one_is_explained(client: TestClient) -> None:
    assert "Nothing was seen of this cohort" in client.get("/cohorts?where=os%3DiOS+61").text
    bad = client.get("/cohorts?where=nonsense")
    assert bad.status_code == 422
    assert "is not dimension=value" in unescape(bad.text)
    assert cohort_from(["b=2", "a=1=1"]).root == {"a": "1=1", "b": "2"}


def test_the_change_that_did_it_moved_conversion_in_its_scope_and_another_did_not(
    world: Any, client: TestClient
) -> None:
    def telling(change: str) -> set[str]:
        return {row.metric for row in change_of(world.app, change)["rows"] if row.is_telling}

    assert "checkout_started->order_completed" in telling(FLAG)
    assert not {each for each in telling("deploy:418") if "->" in each}
    page = text_of(client.get(f"/changes/{FLAG}").text)
    assert "worse, more than chance" in page
    assert "Suspected with" in page


@pytest.mark.parametrize("path", ["/changes/nope", "/incidents/nope", "/nowhere"])
def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(
    client: TestClient, path: str
) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert "There is no such page" in page.text
    plain = client.get(path, headers={"Accept": "application/json"})
    assert plain.status_code == 404


def test_htmx_gets_nothing_new_while_nothing_changed(client: TestClient) -> None:
    first = client.get("/incidents", headers={"HX-Request": "true"})
    assert first.text.lstrip().startswith('<main id="main"')
    seen = re.search(r'"X-Seen": "(\w+)"', first.text)
    assert seen
    again = client.get("/incidents", headers={"HX-Request": "true", "X-Seen": seen[1]})
    assert again.status_code == 204
    assert "recoup:now" in again.headers["HX-Trigger"]


def test_secrets_are_masked_on_the_settings_page(
    opening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recoup.inforce import rows
    from recoup.settings import load

    monkeypatch.setenv("RECOUP_SLACK_BOT_TOKEN", "xoxb-very-secret")
    monkeypatch.setenv("RECOUP_DATABASE_URL", "postgresql://me:hunter2@db/recoup")
    shown = {row.name: row.value for row in rows(load())}
    assert shown["RECOUP_SLACK_BOT_TOKEN"] == "(set)"
    assert shown["RECOUP_DATABASE_URL"] == "postgresql://me:(set)@db/recoup"


def test_settings_stand_under_what_they_belong_to(client: TestClient) -> None:
    page = client.get("/settings").text
    slack = page.partition(">Slack</h2>")[2].partition("</section>")[0]
    assert "RECOUP_SLACK_BOT_TOKEN" in slack
    assert "RECOUP_ARGO" not in slack
    assert "RECOUP_WEB__SESSION_H" in page.partition(">Web</h2>")[2].partition("</section>")[0]


def test_the_audit_log_can_be_narrowed_down_and_escapes_what_it_shows(
    client: TestClient, world: Any
) -> None:
    page = client.get(f"/audit?type=change.recorded&stream=change-{quote(FLAG)}").text
    assert "change.recorded" in page
    assert "<on>" not in page
    assert "search 2.14" not in page
    assert client.get("/audit?before=abc").status_code == 422


def test_a_chart_is_for_who_is_signed_in_or_has_a_link_to_it(
    opening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOUP_API_KEYS", "the-key")
    world = opening()
    at = f"/incidents/{world.incident_id}"
    with TestClient(build_web(world.app, world.desk), follow_redirects=False) as people:
        for path in (f"{at}/chart", f"{at}/chart.png", f"{at}/chart.svg"):
            assert people.get(path).status_code == 401
        form = people.get("/signin").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', form)
        assert csrf
        people.post("/signin", data={"csrf": csrf[1], "key": "the-key"})
        assert people.get(f"{at}/chart.png").content.startswith(b"\x89PNG")
        signed = people.get(f"{at}/chart").headers["location"]
        people.cookies.clear()
        assert people.get(signed).content.startswith(b"\x89PNG")
        assert people.get(signed[:-2]).status_code == 401
        other = signed.replace(world.incident_id, "inc_0")
        assert people.get(other).status_code == 401
        assert people.get(signed.replace(".png", ".svg")).status_code == 401


def test_a_link_to_a_chart_ends(opening: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_WEB__CHART_LINK_DAYS", "0.000001")
    world = opening()
    with TestClient(build_web(world.app, world.desk), follow_redirects=False) as people:
        signed = people.get(f"/incidents/{world.incident_id}/chart").headers["location"]
        time.sleep(1.1)
        assert people.get(signed).status_code == 401


@pytest.mark.parametrize(("who", "without", "with_key"), [("open", 200, 200), ("key", 401, 200),
                                                          ("off", 404, 404)])  # fmt: skip
def test_metrics_are_for_whom_the_settings_say(
    opening: Any, monkeypatch: pytest.MonkeyPatch, who: str, without: int, with_key: int
) -> None:
    monkeypatch.setenv("RECOUP_API_KEYS", "the-key")
    monkeypatch.setenv("RECOUP_WEB__METRICS", who)
    world = opening()
    with TestClient(build_web(world.app, world.desk)) as machine:
        assert machine.get("/metrics").status_code == without
        given = {"Authorization": "Bearer the-key"}
        assert machine.get("/metrics", headers=given).status_code == with_key
