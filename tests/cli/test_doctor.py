"""The doctor: what is well, what is off, what is in trouble and how to mend it; the click's way."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from typer.testing import CliRunner

from recoup.app import build, build_slack
from recoup.cli import build as build_cli
from recoup.demo.standins.ad_histories import MetaHistoryStandIn
from recoup.demo.standins.ads import TOKEN
from recoup.demo.standins.launchdarkly import LaunchDarklyStandIn
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.clock import SystemClock
from recoup.settings import load
from recoup.temporal import start_dev_server
from recoup.web.app import build_web
from tests.cli.test_decide import RuleDesk

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def doctor(folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = CliRunner().invoke(build_cli(), ["doctor", "--data", str(folder), "--json", *arguments])
    found = json.loads(done.stdout)
    return done.exit_code, {each["name"]: each for each in found["checks"]}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    found = SlackStandIn(SECRET)
    with Running(found.app) as server:
        found.own_url = server.url
        for name, value in {
            "BOT_TOKEN": "xoxb-test",
            "SIGNING_SECRET": SECRET,
            "CHANNEL": "C1",
            "BASE_URL": f"{server.url}/api/",
            "PEOPLE": '{"U_ANNA": ["approver"]}',
        }.items():
            monkeypatch.setenv(f"RECOUP_SLACK_{name}", value)
        found.scopes = "chat:write,commands,files:write"
        yield found


def test_what_is_not_configured_is_no_trouble(tmp_path: Path) -> None:
    code, found = doctor(tmp_path)
    assert code == 0
    states = {name: each["state"] for name, each in found.items()}
    assert states == {
        "installation": "ok",
        "database": "ok",
        "events": "off",
        "changes": "off",
        "temporal": "ok",
        "slack": "off",
        "launchdarkly": "off",
        "smtp": "off",
        "google_ads": "off",
        "meta_ads": "off",
    }


def test_the_way_to_slack_and_back_is_proven_by_a_click(
    tmp_path: Path, slack: SlackStandIn
) -> None:
    app = build(load(data_dir=tmp_path))
    desk = RuleDesk()

    def press() -> None:
        async def when_it_is_there() -> None:
            while await slack.person.press("doctor") == 0:
                await asyncio.sleep(0.05)

        asyncio.run(when_it_is_there())

    with Running(build_web(app, desk, build_slack(app, desk).handler)) as server:
        slack.recoup_url = server.url
        pressing = threading.Thread(target=press)
        pressing.start()
        code, found = doctor(tmp_path, "--click", "--wait", "20")
        pressing.join()
    app.store.close()
    assert found["slack"]["detail"] == "recoup in shop, posts to #incidents"
    assert found["slack click"]["detail"] == "the click of slack:U_ANNA arrived"
    assert code == 0


def test_a_click_that_never_comes_says_where_to_look(tmp_path: Path, slack: SlackStandIn) -> None:
    code, found = doctor(tmp_path, "--click", "--wait", "0.6")
    assert code == 1
    assert "no click arrived" in found["slack click"]["detail"]
    assert "interactivity" in found["slack click"]["mend"]


@pytest.mark.parametrize(
    ("method", "answer", "detail", "mend"),
    [
        ("auth.test", {"ok": False, "error": "invalid_auth"}, "invalid_auth", "BOT_TOKEN"),
        (
            "conversations.info",
            {"ok": False, "error": "channel_not_found"},
            "channel_not_found",
            "RECOUP_SLACK_CHANNEL",
        ),
        (
            "conversations.info",
            {"ok": True, "channel": {"name": "incidents", "is_member": False}},
            "not in #incidents",
            "",
        ),
    ],
)
def test_trouble_with_slack_says_what_to_mend(
    tmp_path: Path,
    slack: SlackStandIn,
    method: str,
    answer: dict[str, Any],
    detail: str,
    mend: str,
) -> None:
    slack.faults[method].append(JSONResponse(answer))
    code, found = doctor(tmp_path)
    assert code == 1
    assert detail in found["slack"]["detail"]
    assert mend in found["slack"]["mend"]


def test_a_missing_scope_is_named(tmp_path: Path, slack: SlackStandIn) -> None:
    slack.scopes = "chat:write,commands"
    assert "files:write" in doctor(tmp_path)[1]["slack"]["detail"]


def test_the_others_are_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = LaunchDarklyStandIn("shop", "live", SECRET, SystemClock().now)
    with Running(flags.app) as server:
        monkeypatch.setenv("RECOUP_LAUNCHDARKLY_BASE_URI", server.url)
        monkeypatch.setenv("RECOUP_LAUNCHDARKLY_API_TOKEN", "api-secret")
        monkeypatch.setenv("RECOUP_LAUNCHDARKLY_PROJECT", "shop")
        assert doctor(tmp_path)[1]["launchdarkly"]["state"] == "ok"
        monkeypatch.setenv("RECOUP_LAUNCHDARKLY_PROJECT", "other")
        monkeypatch.setenv("RECOUP_EMAIL_HOST", "127.0.0.1")
        monkeypatch.setenv("RECOUP_EMAIL_PORT", "9")
        monkeypatch.setenv("RECOUP_EMAIL_SENDER", "a@shop.example")
        monkeypatch.setenv("RECOUP_EMAIL_TO", '["b@shop.example"]')
        monkeypatch.setenv("RECOUP_TEMPORAL__EMBEDDED", "false")
        monkeypatch.setenv("RECOUP_TEMPORAL__ADDRESS", "127.0.0.1:9")
        code, found = doctor(tmp_path)
    assert code == 1
    for name in ("launchdarkly", "smtp", "temporal"):
        assert found[name]["state"] == "trouble", found[name]
        assert found[name]["mend"]
        assert "api-secret" not in json.dumps(found)


def test_a_history_that_is_followed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(MetaHistoryStandIn("1").app) as server:
        monkeypatch.setenv("RECOUP_META_ADS_BASE_URL", server.url)
        monkeypatch.setenv("RECOUP_META_ADS_ACCESS_TOKEN", TOKEN)
        monkeypatch.setenv("RECOUP_META_ADS_ACCOUNT_ID", "1")
        assert doctor(tmp_path)[1]["meta_ads"]["detail"].startswith("answers; 0 changes")
        monkeypatch.setenv("RECOUP_META_ADS_ACCESS_TOKEN", "revoked-token")
        code, found = doctor(tmp_path)
    assert code == 1
    assert found["meta_ads"]["state"] == "trouble"
    assert "[meta_ads]" in found["meta_ads"]["mend"]
    assert "revoked-token" not in json.dumps(found)


def test_a_temporal_that_answers_is_told_with_its_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, process = start_dev_server(tmp_path / "temporal")
    try:
        monkeypatch.setenv("RECOUP_TEMPORAL__EMBEDDED", "false")
        monkeypatch.setenv("RECOUP_TEMPORAL__ADDRESS", address)
        found = doctor(tmp_path)[1]["temporal"]
    finally:
        process.terminate()
        process.wait(10)
    assert found["state"] == "ok", found
    assert "0 workers poll 'recoup'" in found["detail"]
