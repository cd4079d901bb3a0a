"""Dashboards and alerts: they parse, and what they name is there in the running application."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from recoup.app import build
from recoup.domain.clock import SystemClock
from recoup.domain.facts import IncidentKind, IncidentOpened, NewFact, Severity
from recoup.domain.incident import Status
from recoup.settings import load
from recoup.web.app import build_web
from tests.workflows.ports import INCIDENT, World

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "monitoring"
OF_PROMETHEUS = {"up", "ALERTS"}
TOLD = re.compile(r"^\| `(recoup_\w+?)(?:\{([\w,]+)\})?` \|", flags=re.MULTILINE)
DASHBOARDS = sorted(FOLDER.glob("*.json"))


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(FOLDER / "recoup.rules.yml")["groups"]
    assert len({group["name"] for group in groups}) == len(groups)
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    found = []
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        found += [each["expr"] for panel in board["panels"] for each in panel["targets"]]
        found += [each["expr"] for each in board["annotations"]["list"]]
        found += [
            re.sub(r"^label_values\((\w+), \w+\)$", r"\1", each["definition"])
            for each in board["templating"]["list"]
            if "definition" in each
        ]
    return found


QUERIES = [rule["expr"] for rule in rules()] + dashboard_queries()
RECORDED = {rule["record"] for rule in rules() if "record" in rule}


class NoDesk:
    """A desk for a server without decisions."""

    async def decide(self, decision: Any) -> Any:
        raise NotImplementedError


def selectors(expression: Any) -> Iterator[Any]:
    """Yield every selector of a parsed query."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from selectors(inner)
    for inner in getattr(expression, "args", None) or ():
        yield from selectors(inner)


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What the application exposes after an event, a change and an incident: labels by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_META_ADS_ACCESS_TOKEN", "t")
        patch.setenv("RECOUP_META_ADS_ACCOUNT_ID", "1")
        app = build(load(data_dir=tmp_path_factory.mktemp("monitored")))
        web = build_web(app, NoDesk())
    now = f"{SystemClock().now():%FT%TZ}"
    with TestClient(web) as client:
        event = {"id": "e", "type": "page_viewed", "session": "s", "time": now}
        assert client.post("/v1/events", json=event).json()["accepted"] == 1
        change = {"id": "c", "kind": "deploy", "time": now}
        assert client.post("/v1/changes", json=change).json()["new"]
        opened = World().log.facts(IncidentOpened)[0]
        new = NewFact(fact_id="opened", fact=opened, occurred_at=opened.opened_at)
        app.store.append(INCIDENT, [new])
        text = client.get("/metrics").text
    app.store.close()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_query_parses_and_names_what_the_application_exposes(
    exposed: dict[str, set[str]],
) -> None:
    assert len(QUERIES) > 25
    for query in QUERIES:
        found = list(selectors(promql_parser.parse(query.replace("$job", "recoup"))))
        assert found, query
        for selector in found:
            assert selector.name in exposed.keys() | OF_PROMETHEUS | RECORDED, query
            if selector.name in exposed:
                asked = {matcher.name for matcher in selector.matchers.matchers}
                assert asked <= exposed[selector.name] | {"job", "instance"}, query


def test_every_value_that_is_asked_for_is_one_that_there_may_be() -> None:
    known = {
        "outcome": {"accepted", "duplicate", "rejected", "conflict"},
        "kind": {each.value for each in IncidentKind},
        "severity": {each.value for each in Severity},
        "status": {each.value for each in Status},
    }
    asked = 0
    for query in QUERIES:
        for name, values in re.findall(r'(\w+)=~?"([^"]+)"', query):
            if name in known:
                asked += 1
                assert set(values.split("|")) <= known[name], query
    assert asked >= 6


def test_what_is_grouped_by_is_a_label(exposed: dict[str, set[str]]) -> None:
    labels = set().union(*exposed.values()) | {"instance"}
    for query in QUERIES:
        for names in re.findall(r"by \(([^)]+)\)", query):
            assert {name.strip() for name in names.split(",")} <= labels, query


def test_every_alert_says_what_it_means_and_is_explained() -> None:
    page = (DOCS / "monitoring.md").read_text()
    explained = set(re.findall(r"^### (\w+)$", page, flags=re.MULTILINE))
    alerts = [rule for rule in rules() if "alert" in rule]
    assert {rule["alert"] for rule in alerts} == explained
    for rule in alerts:
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"


def test_every_metric_of_ours_is_told_of(exposed: dict[str, set[str]]) -> None:
    page = (DOCS / "monitoring.md").read_text()
    told = {name: set(labels.split(",")) for name, labels in TOLD.findall(page)}
    ours = {name for name in exposed if name.startswith("recoup_")}
    for name in {re.sub(r"_(bucket|count|sum|created)$", "", each) for each in ours}:
        base = re.sub(r"_created$", "", name)
        assert base in told or f"{base}_total" in told, name
    for name, labels in told.items():
        if name in exposed and labels != {""}:
            assert labels <= exposed[name]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_and_its_panels_do_not_overlap(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_scrape_names_the_job_that_the_alerts_ask_for() -> None:
    scrape = YAML(typ="safe").load(FOLDER / "prometheus.yml")
    [job] = scrape["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("recoup", "/metrics")
    assert scrape["rule_files"] == ["recoup.rules.yml"]
    for rule in rules():
        assert 'job="recoup"' in rule["expr"] or "recoup:" in rule["expr"]
