"""The manifest that is shipped fits the app: command, events, and the scopes of what it calls."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from integrations.slack.app import COMMAND, build_bolt
from integrations.slack.settings import SlackSettings
from recoup.starting.answers import Answers
from recoup.starting.files import new_files

ROOT = Path(__file__).parents[3]
CONTRACTS = Path(__file__).parents[1] / "public_contracts.json"
DESCRIBED = json.loads(CONTRACTS.read_text())["slack_manifest"]
SCOPE_OF = {
    "chat_postMessage": "chat:write",
    "chat_update": "chat:write",
    "files_upload_v2": "files:write",
    "usergroups_users_list": "usergroups:read",
    "conversations_info": "channels:read",
    "views_open": None,
    "views_publish": None,
    "auth_test": None,
    "apps_connections_open": None,
}
"""The bot scope that each method of the Web API needs, by Slack's reference."""


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "docs" / "slack-manifest.yaml")
    return found


def test_every_method_that_is_called_has_its_scope(manifest: dict[str, Any]) -> None:
    code = "".join(path.read_text() for path in (ROOT / "integrations" / "slack").glob("*.py"))
    used = {name for name in SCOPE_OF if name in code}
    needed = {scope for name in used if (scope := SCOPE_OF[name])}
    given = set(manifest["oauth_config"]["scopes"]["bot"])
    assert needed <= given
    assert given <= needed | {"commands", "groups:read"}


def test_command_events_and_buttons_come_to_the_app(manifest: dict[str, Any]) -> None:
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == COMMAND
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == ["app_home_opened"]
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert manifest["features"]["app_home"]["home_tab_enabled"]
    urls = {
        command["url"],
        manifest["settings"]["interactivity"]["request_url"],
        manifest["settings"]["event_subscriptions"]["request_url"],
    }
    assert {url.removeprefix("https://recoup.example.com") for url in urls} == {"/slack/events"}


def test_it_is_a_manifest_as_slack_describes_one(manifest: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(DESCRIBED["body"]).validate(manifest)
    misspelt = {**manifest["settings"], "socket_mode": True}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**manifest, "settings": misspelt}, DESCRIBED["body"])


@pytest.mark.parametrize("shop", ["A", 'Acme: #1 "and" more', "Wirkwarenhandel " * 3])
@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8787", "https://recoup.example"])
def test_so_is_what_init_writes_for_any_shop(shop: str, url: str) -> None:
    answers = Answers(folder=Path("shop"), shop=shop, chat="slack", public_url=url)
    files = {
        each.place: each.text for each in new_files(answers, datetime(2026, 11, 25, tzinfo=UTC))
    }
    text = files["slack-manifest.yaml"]
    jsonschema.validate(YAML(typ="safe").load(text), DESCRIBED["body"])


async def test_the_app_is_built_without_asking_slack_anything() -> None:
    settings = SlackSettings(bot_token=SecretStr("xoxb-1"), base_url="http://127.0.0.1:9/api/")
    assert build_bolt(settings, None) is not None  # type: ignore[arg-type] # nothing is used yet
