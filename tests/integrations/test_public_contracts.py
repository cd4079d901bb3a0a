"""What is sent and what is read keeps to the vendors' own public descriptions.

``public_contracts.json`` holds the few fields of them that matter here, taken from the place each
entry names: a file at a commit, a published package, or a page. What the descriptions do not name
is refused, so that a misspelt field is found here and not at the vendor. Slack's part is used in
``slack/test_slack_contract.py``.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pytest

from integrations.eventing import sources
from integrations.histories import histories
from integrations.inbound import webhooks
from recoup.demo.standins.misbehaving import Seen
from tests.integrations.subjects import SUBJECTS, started

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
CONTRACTS = json.loads((HERE / "public_contracts.json").read_text())
OURS = {"webhook"}
"""Subjects whose receiver is the customer: no vendor describes it."""


def contract_of(request: Seen) -> dict[str, Any]:
    [found] = [
        each
        for each in CONTRACTS["requests"]
        if each["method"] == request.method and re.search(each["path"], request.path)
    ]
    return dict(found)


def body_of(request: Seen, contract: dict[str, Any]) -> Any:
    if not request.body:
        return None
    if "form" in contract["media_type"]:
        return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    return json.loads(request.body)


def check(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(value)


@pytest.mark.parametrize("name", sorted(set(SUBJECTS) - OURS))
async def test_every_request_is_one_that_the_vendor_describes(name: str) -> None:
    with started(name) as subject:
        await subject.read()
        await subject.write(False)
        if name == "pagerduty":
            await subject.extra["resolve"]()
        sent = [each for each in subject.proxy.seen if each.method != "GET"]
    assert sent
    for request in sent:
        contract = contract_of(request)
        check(body_of(request, contract), contract["body"])


async def test_rehearsals_are_described_too() -> None:
    for name in ("launchdarkly_on", "meta", "google"):
        with started(name) as subject:
            state = await subject.read()
            if name == "launchdarkly_on":
                await subject.extra["client"].rehearse(state, on=False)
            else:
                await subject.extra["control"].rehearse(state, active=False)
            for request in subject.proxy.seen:
                if request.method != "GET":
                    contract = contract_of(request)
                    check(body_of(request, contract), contract["body"])


@pytest.mark.parametrize("delivery", CONTRACTS["deliveries"], ids=lambda each: each["sample"])
def test_a_recorded_payload_is_one_that_the_vendor_describes(delivery: dict[str, Any]) -> None:
    check(json.loads((SAMPLES / delivery["sample"]).read_text()), delivery["body"])


def test_every_entry_says_where_it_is_from_and_is_used() -> None:
    sources = [CONTRACTS["$defs_source"]]
    described = [*CONTRACTS["requests"], *CONTRACTS["deliveries"], *CONTRACTS["slack"]]
    for each in [*described, CONTRACTS["slack_manifest"]]:
        sources.append(each["source"])
        jsonschema.Draft202012Validator.check_schema({**each["body"], "$defs": CONTRACTS["$defs"]})
    for source in sources:
        assert source["part"], source
        if "repository" in source:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", source["repository"])
            assert re.fullmatch(r"[0-9a-f]{40}", source["commit"]), source
            assert source["path"], source
        elif "package" in source:
            assert re.fullmatch(r"\S+ \d+\.\d+\.\d+", source["package"]), source
        else:
            assert source["page"].startswith("https://"), source


@pytest.mark.parametrize("name", ["pagerduty", "github", "launchdarkly_on"])
async def test_a_misspelt_field_would_be_found(name: str) -> None:
    with started(name) as subject:
        await subject.read()
        await subject.write(False)
        request = next(each for each in subject.proxy.seen if each.method != "GET")
    contract = contract_of(request)
    body = {**body_of(request, contract), "misspelt": 1}
    with pytest.raises(jsonschema.ValidationError):
        check(body, contract["body"])


def test_every_source_and_webhook_has_a_recorded_payload_that_says_where_it_is_from() -> None:
    others = set(sources()) - {"tracker"}  # the tracker is ours: its tests record it in a browser
    for name in {*others, *webhooks(), *histories(), "slack"}:
        folder = SAMPLES / name.replace("standard", "standard_webhooks")
        assert [each for each in folder.iterdir() if each.suffix in (".json", ".ndjson")], name
        told = (folder / "README.md").read_text()
        assert re.search(
            r"commit\s+[0-9a-f]{8}|\| [0-9a-f]{8} \||@\S+ \d+\.\d+\.\d+|https://\S+", told
        ), name
