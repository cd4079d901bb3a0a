"""What the change intake makes of particular deliveries: order, scope, undo, rotation, versions."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from integrations.cdevents.settings import CDEventsSettings
from integrations.cdevents.webhook import read as read_cdevent
from integrations.github.settings import GitHubSettings
from integrations.github.webhook import read as read_github
from integrations.github.webhook import sign as sign_github
from integrations.gitlab.settings import GitLabSettings
from integrations.gitlab.webhook import read as read_gitlab
from integrations.gitlab.webhook import sign as sign_gitlab
from integrations.inbound import Delivery
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.launchdarkly.webhook import read as read_launchdarkly
from integrations.launchdarkly.webhook import sign as sign_launchdarkly
from integrations.shopify.settings import ShopifySettings
from integrations.shopify.webhook import read as read_shopify
from integrations.shopify.webhook import sign as sign_shopify
from integrations.signatures import sign_standard, verify_standard
from integrations.standard_webhooks.settings import StandardWebhooksSettings
from integrations.standard_webhooks.webhook import read as read_standard
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import NotAllowed

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "samples"
SECRET = SecretStr("whsec_" + base64.b64encode(bytes(32)).decode())
NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def recorded(vendor: str, name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RECORDED / vendor / f"{name}.json").read_text())
    return body


def launchdarkly(entry: dict[str, Any]) -> Change:
    section = LaunchDarklySettings(webhook_secret=SECRET)
    raw = json.dumps(entry).encode()
    headers = sign_launchdarkly(section, raw, NOW)
    return read_launchdarkly(section, Delivery(headers, raw, NOW)).changes[0]


def github(body: dict[str, Any], **settings: Any) -> list[Change]:
    section = GitHubSettings(webhook_secret=SECRET, **settings)
    raw = json.dumps(body).encode()
    return read_github(section, Delivery(sign_github(section, raw, NOW), raw, NOW)).changes


def test_the_states_of_one_deployment_are_one_change() -> None:
    finished = recorded("github", "deployment_status")
    created = {key: finished[key] for key in ("action", "deployment", "repository", "sender")}
    both = {"events": ("deployment", "deployment_status")}
    first, second = github(created, **both), github(finished, **both)
    assert [change.id for change in first] == [change.id for change in second]
    assert github(created) == []
    assert first[0].time < second[0].time


def test_who_deploys_may_say_whom_it_touches_and_how_it_is_undone() -> None:
    body = recorded("github", "deployment_status")
    undo = {"action": "release_rollback", "url": "https://ci.example/rollback"}
    body["deployment"]["payload"] = {"scope": {"release": "4.18"}, "undo": undo}
    [change] = github(body)
    assert (change.kind, change.scope, change.undo) == (
        ChangeKind.DEPLOY,
        {"release": "4.18"},
        undo,
    )
    assert change.title == "Codertocat/Hello-World master to production (by Codertocat)"
    body["deployment"]["payload"] = '{"scope": "a text, as older clients send it"}'
    assert github(body)[0].scope == {}


def test_other_environments_and_pushes_are_passed_over_unless_asked_for() -> None:
    body = recorded("github", "deployment_status")
    body["deployment"]["environment"] = "staging"
    assert github(body) == []
    assert len(github(body, environments=("staging",))) == 1
    push = {
        "ref": "refs/heads/master",
        "after": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "head_commit": {"message": "Cheaper shipping\n\nlong story"},
        "repository": {**body["repository"], "pushed_at": 1557933652},
        "sender": body["sender"],
    }
    assert github(push) == []
    [change] = github(push, events=("push",))
    assert change.title.endswith("Cheaper shipping")
    assert change.time == datetime(2019, 5, 15, 15, 20, 52, tzinfo=UTC)


def test_flag_entries_that_come_in_any_order_stand_in_the_order_of_their_dates() -> None:
    on = recorded("launchdarkly", "flag_turned_on")
    off = {
        **on,
        "_id": "57c0a8e29969090743529999",
        "date": on["date"] + 5_000,
        "titleVerb": "turned off the flag",
    }
    later, earlier = launchdarkly(off), launchdarkly(on)
    assert earlier.time < later.time
    assert (earlier.undo["on"], later.undo["on"]) == (False, True)
    assert earlier.ref == "demo-flag"
    assert earlier.title == (
        "Henrietta Powell turned on the flag Demo flag in Production (by testing@launchdarkly.com)"
    )


def test_a_switch_is_what_the_versions_say_and_what_the_title_says_without_them() -> None:
    entry = recorded("launchdarkly", "flag_turned_on")
    was_off = {"environments": {"production": {"on": False, "version": 3}}}
    was_on = {"environments": {"production": {"on": True, "version": 4}}}
    on = launchdarkly({**entry, "previousVersion": was_off, "currentVersion": was_on})
    off = launchdarkly({**entry, "previousVersion": was_on, "currentVersion": was_off})
    assert (on.undo["on"], off.undo["on"]) == (False, True)
    both = {**entry, "previousVersion": was_on, "currentVersion": was_on}
    assert launchdarkly(both).undo == {}  # a title alone does not stand against two versions
    assert launchdarkly({**entry, "titleVerb": "toggled"}).undo == {}


def test_a_flag_that_serves_otherwise_says_how_and_offers_no_undo() -> None:
    change = launchdarkly(recorded("launchdarkly", "rules_updated"))
    assert change.undo == {}
    assert change.title == (
        "Henrietta Powell updated the flag Demo flag in Production: Removed Ushki from the "
        "variation true; Decreased the rollout from 50% to 43% for the rule; If email ends with "
        ".edu; serve 43% true (by testing@launchdarkly.com)"
    )
    assert launchdarkly(recorded("launchdarkly", "flag_archived")).ref == "a-brand-new-flag"


def test_what_nobody_is_served_otherwise_by_is_no_change() -> None:
    section = LaunchDarklySettings(webhook_secret=SECRET)
    entry = recorded("launchdarkly", "flag_turned_on")
    entry["accesses"][0]["action"] = "updateTags"
    raw = json.dumps(entry).encode()
    delivery = Delivery(sign_launchdarkly(section, raw, NOW), raw, NOW)
    assert read_launchdarkly(section, delivery).changes == []


def test_gitlab_is_known_by_its_token_and_once_it_signs_by_its_signature_alone() -> None:
    raw = json.dumps(recorded("gitlab", "feature_flag")).encode()
    by_token = GitLabSettings(webhook_token=SecretStr("shared"))
    occasion = {"x-gitlab-event-uuid": "one"}
    headers = {**occasion, **sign_gitlab(by_token, raw, NOW)}
    [flag] = read_gitlab(by_token, Delivery(headers, raw, NOW)).changes
    assert (flag.kind, flag.time, flag.ref) == (ChangeKind.FLAG, NOW, "test-feature-flag")
    [again] = read_gitlab(by_token, Delivery(headers, raw, NOW + timedelta(minutes=2))).changes
    assert again.id == flag.id
    signing = GitLabSettings(webhook_token=SecretStr("shared"), signing_token=SECRET)
    with pytest.raises(NotAllowed):
        read_gitlab(signing, Delivery(headers, raw, NOW))
    signed = sign_gitlab(signing, raw, NOW)
    assert read_gitlab(signing, Delivery(signed, raw, NOW)).changes
    with pytest.raises(NotAllowed, match="too old"):
        read_gitlab(signing, Delivery(signed, raw, NOW + timedelta(minutes=6)))


def test_gitlab_times_are_read_as_it_writes_them() -> None:
    section = GitLabSettings(webhook_token=SecretStr("shared"))
    raw = json.dumps(recorded("gitlab", "deployment")).encode()
    [change] = read_gitlab(section, Delivery(sign_gitlab(section, raw, NOW), raw, NOW)).changes
    assert change.time == datetime(2021, 4, 28, 19, 50, tzinfo=UTC)


def test_the_published_vector_of_standard_webhooks_holds() -> None:
    secret, message_id, stamp = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
    )
    body = b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign_standard(secret, message_id, stamp, body) == signature
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,bm90IGl0 {signature}",
    }
    assert verify_standard((secret,), headers, body, stamp + 299) == message_id
    for late in (301, -301):
        with pytest.raises(NotAllowed, match="too old"):
            verify_standard((secret,), headers, body, stamp + late)


def test_a_secret_can_be_replaced_while_senders_still_use_the_one_before() -> None:
    before = SecretStr("whsec_" + base64.b64encode(b"b" * 32).decode())
    section = StandardWebhooksSettings(webhook_secret=SECRET, previous_secret=before)
    raw = json.dumps(recorded("standard_webhooks", "wrapped")["data"] | {"time": "x"}).encode()
    body = json.dumps({"kind": "config", "title": "moved"}).encode()
    stamp = int(NOW.timestamp())
    for secret in (SECRET, before):
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign_standard(secret.get_secret_value(), "msg_1", stamp, body),
        }
        [change] = read_standard(section, Delivery(headers, body, NOW)).changes
        assert (change.id, change.time) == ("standard:msg_1", NOW)
        with pytest.raises(NotAllowed):
            read_standard(section, Delivery(headers, raw, NOW))


def test_a_secret_that_cannot_sign_is_an_error_at_the_start() -> None:
    with pytest.raises(ValueError, match="24 bytes"):
        StandardWebhooksSettings(webhook_secret=SecretStr("whsec_c2hvcnQ="))


@pytest.mark.parametrize("name", ["service_upgraded", "service_rolledback"])
def test_the_recorded_cdevents_keep_to_the_published_schema(name: str) -> None:
    schema = json.loads((Path(__file__).parent / "cdevents_schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(recorded("cdevents", name))


def test_a_cdevent_of_a_major_version_that_is_not_known_is_passed_over_and_said_so() -> None:
    section = CDEventsSettings(webhook_token=SecretStr("t"))
    body = recorded("cdevents", "service_upgraded")
    body["context"]["type"] = "dev.cdevents.service.upgraded.1.0.0"
    delivery = Delivery({"authorization": "Bearer t"}, json.dumps(body).encode(), NOW)
    with capture_logs() as logs:
        assert read_cdevent(section, delivery).changes == []
    assert logs[0]["event"] == "cdevents.version_not_known"


def shopify(body: dict[str, Any], topic: str, **settings: Any) -> Any:
    section = ShopifySettings(webhook_secret=SECRET, **settings)
    raw = json.dumps(body).encode()
    headers = {"x-shopify-topic": topic, "x-shopify-shop-domain": "a.myshopify.com"}
    return read_shopify(section, Delivery({**headers, **sign_shopify(section, raw, NOW)}, raw, NOW))


def test_a_product_counts_again_only_when_its_prices_change() -> None:
    body = recorded("shopify", "products-update")
    [first] = shopify(body, "products/update").changes
    body["updated_at"] = "2011-10-20T18:30:00-04:00"
    body["title"] = "IPod Nano"
    [texts] = shopify(body, "products/update").changes
    assert texts.id == first.id
    body["variants"][0]["price"] = "99.00"
    [cheaper] = shopify(body, "products/update").changes
    assert cheaper.id != first.id
    assert cheaper.kind is ChangeKind.PRICE


def test_a_promotion_counts_from_its_start() -> None:
    body = recorded("shopify", "price_rules-create")
    body["starts_at"] = "2017-06-01T00:00:00Z"
    [change] = shopify(body, "price_rules/create").changes
    assert change.time == datetime(2017, 6, 1, tzinfo=UTC)
    assert change.title == "price rule BOGO -100.0 percentage"


def test_a_checkout_and_its_order_are_one_session_of_the_contract() -> None:
    [started] = shopify(recorded("shopify", "checkouts-create"), "checkouts/create").events
    [done] = shopify(recorded("shopify", "orders-create"), "orders/create").events
    assert started["session"] == done["session"]
    assert (started["type"], done["type"]) == ("checkout_started", "order_completed")
    assert done["dims"] == {
        "device": "mobile",
        "os": "iOS 16",
        "browser": "Mobile Safari",
        "campaign": "autumn",
        "country": "US",
        "region": "KY",
        "channel": "web",
        "provider": "authorize_net",
    }
    assert done["props"] == {"value": 409.94, "currency": "USD"}
    assert done["time"] == "2012-10-12T11:09:12.000+00:00"


def test_test_orders_and_other_shops_do_not_count() -> None:
    body = {**recorded("shopify", "orders-create"), "test": True}
    assert shopify(body, "orders/create").events == []
    with pytest.raises(NotAllowed, match="another shop"):
        shopify(body, "orders/create", shop_domain="b.myshopify.com")


def test_the_argo_templates_fill_the_fields_that_are_read() -> None:
    """The Go template is rendered as if every value were null; names and JSON must hold."""
    from ruamel.yaml import YAML

    from integrations.argo.webhook import ArgoNotice

    config = YAML(typ="safe").load(ROOT / "docs" / "ci" / "argo-notifications.yaml")["data"]
    for name, kind in (("application-deployed", "application"), ("rollout-completed", "rollout")):
        template = YAML(typ="safe").load(config[f"template.{name}-recoup"])
        body = re.sub(r"\{\{[^}]*\}\}", "null", template["webhook"]["recoup"]["body"])
        rendered = json.loads(body)
        assert rendered["kind"] == kind
        assert set(rendered) <= set(ArgoNotice.model_fields)
        assert f"{name}-recoup" in config[f"trigger.on-{name.replace('application-', '')}-recoup"]
        nothing = {**rendered, "name": "shop", "phase": "Healthy"}
        assert ArgoNotice.model_validate(nothing).revision is None
    service = YAML(typ="safe").load(config["service.webhook.recoup"])
    assert service["headers"][1] == {"name": "Authorization", "value": "Bearer $recoup-token"}
