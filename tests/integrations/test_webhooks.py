"""What every webhook owes, found by walking the integrations: a new one is tested by itself."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import integrations
from integrations.inbound import OLDEST, Webhook, webhooks
from recoup.app import build
from recoup.domain.errors import ConfigurationError
from recoup.settings import load
from recoup.web.app import build_web

RECORDED = Path(__file__).parents[1] / "samples"
QUICK = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_every_webhook_has_a_recorded_payload_and_says_where_it_is_from(webhook: Webhook) -> None:
    folder = RECORDED / webhook.section.section_name
    names = [path.stem for path in folder.glob("*.json") if path.stem != "headers"]
    assert [name for name in names if not name.startswith("ignored-")]
    assert len((folder / "README.md").read_text()) > 100


def test_a_signed_delivery_is_recorded_once_however_often_it_comes(rig: Any, sample: Any) -> None:
    rig.go_to(sample)
    told = rig.read(sample)
    assert bool(told.changes or told.events) == sample.tells
    first = rig.post(sample, rig.signed(sample))
    assert first.status_code == 202, first.text
    assert first.json()["changes"] == [change.id for change in told.changes]
    rig.clock.advance(60)
    events = rig.app.store.stats().events
    facts = rig.app.store.stats().facts
    again = rig.post(sample, rig.signed(sample))
    assert again.status_code == 202
    assert again.json()["new"] == 0
    assert (rig.app.store.stats().events, rig.app.store.stats().facts) == (events, facts)
    for change in told.changes:
        assert rig.app.store.changes.get(change.id) is not None


def test_the_events_of_a_delivery_are_counted_as_any_others(rig: Any) -> None:
    shopify = webhooks()["shopify"]
    [sample] = [one for one in _samples(rig, shopify) if one.name == "orders-create"]
    rig.go_to(sample)

    def counted() -> float:
        lines = rig.client.get("/metrics").text.splitlines()
        wanted = ('recoup_events_total{outcome="accepted"}', 'recoup_events_total{outcome="dup')
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    before = counted()
    assert rig.post(sample, rig.signed(sample)).status_code == 202
    assert counted() == before + 1


def test_an_unsigned_delivery_is_refused(rig: Any, sample: Any) -> None:
    rig.go_to(sample)
    answer = rig.post(sample, sample.headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@QUICK
@given(data=st.data())
def test_a_mutated_signature_is_refused(rig: Any, webhook: Webhook, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(_samples(rig, webhook)))
    rig.go_to(sample)
    signs = sample.webhook.sign(rig.section(webhook), sample.body, rig.now)
    name = data.draw(st.sampled_from(sorted(signs)))
    signs[name] = data.draw(_mutations(signs[name]))
    before = rig.app.store.head()
    answer = rig.post(sample, {**sample.headers, **signs})
    assert answer.status_code == 401, signs
    assert rig.app.store.head() == before


@QUICK
@given(data=st.data())
def test_a_mutated_body_is_refused_where_the_vendor_signs_it(
    rig: Any, webhook: Webhook, data: st.DataObject
) -> None:
    sample = data.draw(st.sampled_from(_samples(rig, webhook)))
    rig.go_to(sample)
    headers = rig.signed(sample)
    if "authorization" in headers:
        pytest.skip("this vendor sends a token and signs nothing")
    place = data.draw(st.integers(0, len(sample.body) - 1))
    flipped = sample.body[place] ^ data.draw(st.integers(1, 255))
    body = sample.body[:place] + bytes([flipped]) + sample.body[place + 1 :]
    before = rig.app.store.head()
    assert rig.post(sample, headers, body).status_code == 401
    assert rig.app.store.head() == before


@QUICK
@given(data=st.data())
def test_a_signed_body_of_any_shape_is_taken_or_refused_but_never_fails(
    rig: Any, webhook: Webhook, data: st.DataObject
) -> None:
    sample = data.draw(st.sampled_from(_samples(rig, webhook)))
    rig.go_to(sample)
    body = json.dumps(_warped(data, json.loads(sample.body))).encode()
    answer = rig.post(sample, rig.signed(sample, body), body)
    assert answer.status_code in (202, 401, 422), answer.text


@QUICK
@given(body=st.binary(max_size=200))
def test_signed_rubbish_is_refused_and_never_fails(rig: Any, webhook: Webhook, body: bytes) -> None:
    sample = _samples(rig, webhook)[0]
    answer = rig.post(sample, rig.signed(sample, body or b"x"), body or b"x")
    assert answer.status_code in (202, 422), answer.text


def test_a_delivery_that_was_kept_for_a_week_is_refused(rig: Any, webhook: Webhook) -> None:
    sample = next(one for one in _samples(rig, webhook) if one.tells)
    rig.go_to(sample)
    told = rig.read(sample)
    headers = rig.signed(sample)
    rig.clock.advance((OLDEST + timedelta(minutes=1)).total_seconds())
    if not told.changes:
        pytest.skip("only events")
    if rig.read(sample).changes[0].time == told.changes[0].time:
        assert rig.post(sample, rig.signed(sample)).status_code == 401
    assert rig.post(sample, headers).status_code == 401


def test_a_vendor_without_a_secret_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("RECOUP_")]:
        monkeypatch.delenv(name)
    app = build(load(data_dir=tmp_path))
    with TestClient(build_web(app, _no_desk())) as client:
        for name, webhook in webhooks().items():
            answer = client.post(f"/hooks/{name}", content=b"{}")
            assert answer.status_code == 401
            detail = answer.json()["detail"]
            assert f"RECOUP_{webhook.section.section_name.upper()}_" in detail
        unknown = client.post("/hooks/nobody", content=b"{}")
        assert unknown.status_code == 404
        assert "github" in unknown.json()["detail"]
    app.store.close()


def test_a_new_vendor_is_one_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").write_text('"""Acme."""\n')
    (tmp_path / "acme" / "webhook.py").write_text(ACME)
    monkeypatch.setattr(integrations, "__path__", [*integrations.__path__, str(tmp_path)])
    monkeypatch.setenv("RECOUP_ACME_WEBHOOK_TOKEN", "t0ken")
    app = build(load(data_dir=tmp_path / "data"))
    with TestClient(build_web(app, _no_desk())) as client:
        body = json.dumps({"what": "search index rebuilt"})
        refused = client.post("/hooks/acme", content=body)
        assert refused.status_code == 401
        taken = client.post("/hooks/acme", content=body, headers={"authorization": "Bearer t0ken"})
        assert taken.json()["new"] == 1
        assert "/hooks/acme" in client.get("/openapi.json").json()["paths"]
    app.store.close()


def test_two_webhooks_of_one_name_are_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zeta").mkdir()
    (tmp_path / "zeta" / "__init__.py").write_text('"""Zeta."""\n')
    (tmp_path / "zeta" / "webhook.py").write_text(ACME.replace('name="acme"', 'name="github"'))
    monkeypatch.setattr(integrations, "__path__", [*integrations.__path__, str(tmp_path)])
    with pytest.raises(ConfigurationError, match="github"):
        webhooks()


def test_a_body_without_end_is_cut_off(rig: Any) -> None:
    answer = rig.client.post("/hooks/github", content=b"x" * (5 * 1024 * 1024 + 1))
    assert answer.status_code == 413


def _samples(rig: Any, webhook: Webhook) -> list[Any]:
    return list(rig.samples(webhook))


def _no_desk() -> Any:
    class NoDesk:
        async def decide(self, decision: Any) -> Any:
            raise NotImplementedError

    return NoDesk()


def _mutations(text: str) -> st.SearchStrategy[str]:
    """Return other texts: one sign altered, cut, doubled, empty, or something else altogether."""
    printable = st.characters(min_codepoint=33, max_codepoint=126)
    places = st.integers(0, len(text) - 1)
    altered = st.builds(lambda at, sign: text[:at] + sign + text[at + 1 :], places, printable)
    return st.one_of(
        altered,
        places.map(lambda at: text[:at]),
        st.just(text + text),
        st.just(""),
        st.text(printable, max_size=80),
    ).filter(lambda other: not _equivalent(text, other))


def _equivalent(text: str, other: str) -> bool:
    """Tell whether a mutation says the same: base64 ignores some bits, schemes their case."""
    scheme, _, rest = text.partition(" ")
    other_scheme, _, other_rest = other.partition(" ")
    return other == text or (
        rest != "" and scheme.lower() == other_scheme.lower() and rest == other_rest
    )


def _warped(data: st.DataObject, value: Any) -> Any:
    """Return a body with one part replaced by something of another kind."""
    strange = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.text(max_size=300),
        st.lists(st.integers(), max_size=2),
        st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        st.sampled_from(
            ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "\x00", "\ud800", 1e308]
        ),
    )
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 5)) == 0:
            return {key: inner for key, inner in value.items() if key != name}
        return {**value, name: _warped(data, value[name])}
    return data.draw(strange)


ACME = '''"""A vendor that was not known before."""
from integrations.inbound import Payload, Received, Webhook, change_id, parse, secret_of
from integrations.signatures import verify_bearer
from recoup.domain.changes import Change, ChangeKind
from recoup.settings import Section
from pydantic import SecretStr


class AcmeSettings(Section):
    """Acme."""

    section_name = "acme"
    webhook_token: SecretStr | None = None


class Body(Payload):
    what: str


def read(settings, delivery):
    verify_bearer(secret_of(settings, "webhook_token"), delivery.headers)
    body = parse(Body, delivery.body)
    return Received([Change(id=change_id("acme", body.what), kind=ChangeKind.CONFIG,
                            time=delivery.now, title=body.what)])


def sign(settings, _body, _now):
    return {"authorization": f"Bearer {secret_of(settings, 'webhook_token')}"}


WEBHOOK = Webhook(name="acme", section=AcmeSettings, summary="Acme", read=read, sign=sign)
'''
