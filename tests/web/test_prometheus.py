"""The alerts fire when they should and only then; a real Prometheus finds what the board asks."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from recoup.app import build
from recoup.demo.standins.running import Running
from recoup.domain.clock import SystemClock
from recoup.domain.facts import IncidentOpened, NewFact
from recoup.settings import load
from recoup.web.app import build_web
from tests.workflows.ports import INCIDENT, World

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "docs" / "monitoring"
RULES = FOLDER / "recoup.rules.yml"
NEVER_IN_A_MINUTE = {"ALERTS"}
"""What Prometheus has only once an alert was due."""


class NoDesk:
    """A desk for a server without decisions."""

    async def decide(self, decision: Any) -> Any:
        raise NotImplementedError


def needed(program: str) -> str:
    """Return where a program is; CI has it, a laptop may not (Debian: ``prometheus``)."""
    found = shutil.which(program)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{program} is not installed")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needed("promtool"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    shutil.copy(RULES, tmp_path)
    shutil.copy(HERE / "recoup.rules_test.yml", tmp_path)
    return tmp_path


def test_every_alert_fires_when_it_should_and_only_then(rules: Path) -> None:
    done = promtool("test", "rules", "recoup.rules_test.yml", folder=rules)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways() -> None:
    cases = YAML(typ="safe").load(HERE / "recoup.rules_test.yml")["tests"]
    tried = [alert for case in cases for alert in case["alert_rule_test"]]
    groups = YAML(typ="safe").load(RULES)["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert {each["alertname"] for each in tried if each.get("exp_alerts")} == alerts
    assert {each["alertname"] for each in tried if not each.get("exp_alerts")} == alerts


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('outcome="accepted"', 'outcome="taken"'), ("> 3 * 86400", "> 30 * 86400"), ("0.02", "0.2")],
)
def test_a_wrong_rule_would_be_found(rules: Path, right: str, wrong: str) -> None:
    path = rules / RULES.name
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    assert promtool("test", "rules", "recoup.rules_test.yml", folder=rules).returncode != 0


def test_prometheus_takes_the_files_as_they_are() -> None:
    done = promtool("check", "config", "prometheus.yml", folder=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[httpx.Client]:
    """Run a Prometheus with the shipped files, which scrapes every second."""
    program = needed("prometheus")
    shutil.copy(RULES, folder)
    config = (FOLDER / "prometheus.yml").read_text()
    config = config.replace("15s", "1s\n  evaluation_interval: 1s").replace(
        "127.0.0.1:8787", target
    )
    (folder / "prometheus.yml").write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    running = subprocess.Popen(
        [
            program,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={address}",
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", trust_env=False) as client:
            yield client
    finally:
        running.terminate()
        running.wait(timeout=20)


def ask(client: httpx.Client, query: str) -> list[Any]:
    try:
        answer = client.get("/query", params={"query": query})
    except httpx.TransportError:
        return []
    if answer.status_code == 503:  # It is starting.
        return []
    assert answer.status_code == 200, (query, answer.text)
    return list(answer.json()["data"]["result"])


def board_queries() -> dict[str, str]:
    board = json.loads((FOLDER / "grafana-recoup.json").read_text())
    found = {
        f"{panel['title']} {target.get('legendFormat', '')}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }
    for each in board["annotations"]["list"]:
        found[each["name"]] = each["expr"]
    for each in board["templating"]["list"]:
        if "definition" in each:
            [metric] = re.findall(r"label_values\((\w+), \w+\)", each["definition"])
            found[each["name"]] = metric
    return {title: expr.replace("$job", "recoup") for title, expr in found.items()}


def test_a_real_prometheus_scrapes_recoup_and_every_panel_shows_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed("prometheus")
    monkeypatch.setenv("RECOUP_META_ADS_ACCESS_TOKEN", "t")
    monkeypatch.setenv("RECOUP_META_ADS_ACCOUNT_ID", "1")
    app = build(load(data_dir=tmp_path / "recoup"))
    opened = World().log.facts(IncidentOpened)[0]
    new = NewFact(fact_id="opened", fact=opened, occurred_at=opened.opened_at)
    app.store.append(INCIDENT, [new])
    with Running(build_web(app, NoDesk())) as recoup:
        target = recoup.url.removeprefix("http://")
        with prometheus(target, tmp_path) as client:
            queries, silent = board_queries(), {"": ""}
            end = time.monotonic() + 30
            number = 0
            while silent and time.monotonic() < end:
                number += 1
                _feed(recoup.url, number)
                time.sleep(0.5)
                silent = {
                    title: query
                    for title, query in queries.items()
                    if not (query.split("{")[0] in NEVER_IN_A_MINUTE or ask(client, query))
                }
            assert silent == {}
            groups = client.get("/rules").json()["data"]["groups"]
            health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
            assert set(health.values()) == {"ok"}, health
            [up] = ask(client, 'up{job="recoup"}')
            assert up["value"][1] == "1"
    app.store.close()


def _feed(url: str, number: int) -> None:
    now = f"{SystemClock().now():%FT%TZ}"
    event = {"id": f"e{number}", "type": "page_viewed", "session": "s", "time": now}
    assert httpx.post(f"{url}/v1/events", json=event, trust_env=False).status_code == 202
    change = {"id": f"c{number}", "kind": "deploy", "time": now}
    assert httpx.post(f"{url}/v1/changes", json=change, trust_env=False).status_code == 202
