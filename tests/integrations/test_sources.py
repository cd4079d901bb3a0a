"""Event sources: what recorded bodies come to, whose clock counts, and what becomes of the rest."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from integrations.eventing import Posted, corrected, snake, sources
from integrations.ga4.export import events_of
from recoup.app import App, build
from recoup.domain.clock import FixedClock
from recoup.domain.storefront import StorefrontEvent
from recoup.settings import load
from recoup.web.app import build_web

SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
KEY = "wk_browser"
SNOWPLOW = "/com.snowplowanalytics.snowplow/tp2"


class NoDesk:
    """A desk for a server without incidents."""

    async def decide(self, decision: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, clock: FixedClock) -> Iterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_API_KEYS", "full")
        patch.setenv("RECOUP_TRACKER_WRITE_KEYS", f"other, {KEY}")
        patch.setenv("RECOUP_TRACKER_ALLOWED_ORIGINS", "https://shop.example")
        built = build(load(data_dir=tmp_path_factory.mktemp("sources")), clock=clock)
        yield built
        built.store.close()


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[TestClient]:
    with TestClient(build_web(app, NoDesk()), raise_server_exceptions=False) as found:
        yield found


def recorded(vendor: str, name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((SAMPLES / vendor / f"{name}.json").read_text())
    return body


def read(name: str, body: Any, path: str = "", received: datetime = NOW) -> list[dict[str, Any]]:
    source = sources()[name]
    raw = json.dumps(body).encode()
    posted = Posted(path or source.paths[0], {}, {}, raw, received)
    mapped = source.read(posted)
    assert mapped.problems == []
    for event in mapped.events:
        StorefrontEvent.model_validate(event)
    return mapped.events


def test_every_source_has_a_recorded_body_that_keeps_to_the_contract() -> None:
    paths = {"segment": {"batch": "/v1/batch", "track": "/v1/track"}}
    for name in ("segment", "ga4", "snowplow"):
        for file in (SAMPLES / name).glob("*.json"):
            path = paths.get(name, {}).get(file.stem, "")
            assert read(name, json.loads(file.read_text()), path)
        assert "#" in (SAMPLES / name / "README.md").read_text()


def test_a_segment_track_becomes_an_order_by_the_clock_here() -> None:
    received = datetime(2015, 12, 10, 4, 8, 41, 581000, tzinfo=UTC)  # ten seconds after sentAt
    [event] = read("segment", recorded("segment", "track"), "/v1/track", received)
    assert event["type"] == "order_completed"
    assert event["id"] == "segment:022bb90c-bbac-11e4-8dfc-aa07a5b093db"
    assert event["time"] == "2015-12-10T04:08:41.905+00:00"
    assert event["user"] == "97980cfea0067"
    assert "507f191e810c19729de860ea" not in json.dumps(event)
    assert event["props"]["value"] == 27.5
    assert event["dims"] == {
        "device": "mobile",
        "os": "iPhone OS 8",
        "browser": "Mobile Safari",
        "campaign": "TPS Innovation Newsletter",
        "country": "United States",
        "release": "545",
    }


def test_a_segment_batch_keeps_the_session_and_passes_over_what_is_no_step() -> None:
    events = read("segment", recorded("segment", "batch"), "/v1/batch")
    assert [event["type"] for event in events] == ["checkout_started", "page_viewed"]
    assert len({event["session"] for event in events}) == 1
    assert events[0]["dims"] == {"device": "mobile"}


def test_a_ga4_purchase_is_told_by_its_transaction_and_joined_to_its_checkout() -> None:
    body = recorded("ga4", "purchase")
    started, done = read("ga4", body)
    assert (started["type"], done["type"]) == ("checkout_started", "order_completed")
    assert started["session"] == done["session"]
    assert done["id"] == "ga4:purchase:T_12345"
    assert done["time"] == "2024-04-17T12:00:00.000+00:00"
    assert started["dims"]["campaign"] == "SUMMER"
    assert done["dims"]["os"] == "iOS 16"
    assert [event["id"] for event in read("ga4", body)] == [started["id"], done["id"]]


def test_rows_of_the_bigquery_export_are_the_same_events() -> None:
    text = (SAMPLES / "ga4" / "bigquery.ndjson").read_text()
    mapped = events_of([json.loads(line) for line in text.splitlines()])
    assert mapped.problems == []
    seen, bought = mapped.events
    assert (seen["type"], bought["type"]) == ("page_viewed", "order_completed")
    assert seen["session"] == bought["session"]
    assert bought["id"] == "ga4:purchase:741471"
    assert bought["props"] == {"ga_session_id": 661084800, "currency": "USD", "value": 53.0}
    assert bought["dims"]["os"] == "iOS 14"
    assert seen["time"] == "2021-01-31T05:05:10.766+00:00"


def test_snowplow_events_are_read_plain_and_encoded() -> None:
    received = datetime.fromtimestamp(1658246302.469 + 3600, UTC)  # its clock is an hour slow
    events = read("snowplow", recorded("snowplow", "requests"), received=received)
    assert [event["type"] for event in events] == [
        "viewed_product",
        "page_viewed",
        "order_completed",
    ]
    assert events[0]["props"] == {"product_id": "ASO01043", "price": 49.95}
    assert events[2]["props"] == {"type": "transaction", "value": 49.95, "currency": "EUR"}
    assert events[2]["dims"] == {"campaign": "launch", "provider": "card"}
    lag = received - datetime.fromisoformat(events[1]["time"])
    assert lag == timedelta(milliseconds=4)


def test_the_recorded_snowplow_fields_are_those_of_the_published_schema() -> None:
    allowed = set((Path(__file__).parent / "snowplow_fields.txt").read_text().split())
    for item in recorded("snowplow", "requests")["data"]:
        assert set(item) <= allowed
        assert {"tv", "p", "e"} <= set(item)
        assert all(isinstance(value, str) for value in item.values())


def test_a_clock_that_is_days_off_is_not_believed() -> None:
    assert corrected(NOW, NOW - timedelta(hours=3), NOW) == NOW + timedelta(hours=3)
    assert corrected(NOW, NOW - timedelta(days=3), NOW) == NOW
    assert corrected(NOW, None, NOW) == NOW


@pytest.mark.parametrize(
    ("name", "is_snake"),
    [
        ("Order Completed", "order_completed"),
        ("productAdded", "product_added"),
        ("  Näh--Kurs!", "n_h_kurs"),
        ("", "unnamed"),
    ],
)
def test_names_are_written_as_the_contract_writes_them(name: str, is_snake: str) -> None:
    assert snake(name) == is_snake


def test_a_write_key_adds_events_and_does_nothing_else(client: TestClient, app: App) -> None:
    track = {**recorded("segment", "track"), "writeKey": KEY}
    before = app.store.stats().events
    answer = client.post("/v1/track", json=track)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert client.post("/v1/track", json=track).status_code == 200
    assert app.store.stats().events == before + 1
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert client.post("/v1/events", content=b"{}", headers=bearer).status_code == 401
    assert client.post("/v1/changes", json={}, headers=bearer).status_code in (401, 422)
    assert client.get("/v1/incidents", headers=bearer).status_code == 401


def test_each_protocol_carries_its_key_in_its_own_way(client: TestClient) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    track = {name: v for name, v in recorded("segment", "track").items() if name != "writeKey"}
    ga4, snowplow = recorded("ga4", "purchase"), recorded("snowplow", "requests")
    told = [
        client.post("/v1/track", json=track, headers={"Authorization": f"Basic {basic}"}),
        client.post(f"/mp/collect?measurement_id=G-1&api_secret={KEY}", json=ga4),
        client.post(f"{SNOWPLOW}?key={KEY}", json=snowplow),
        client.post(SNOWPLOW, json=snowplow, headers={"Authorization": "Bearer full"}),
        client.post(f"/v1/collect?key={KEY}", json={"events": []}),
    ]
    assert [answer.status_code for answer in told] == [200, 204, 200, 200, 202]
    refused = [
        client.post("/v1/track", json=track),
        client.post("/v1/track", json=track, headers={"Authorization": "Basic !"}),
        client.post("/mp/collect?api_secret=wrong", json=ga4),
        client.post(SNOWPLOW, json=snowplow),
        client.post("/v1/collect?key=full", json={"events": []}),
    ]
    assert [answer.status_code for answer in refused] == [401] * 5


def test_what_is_no_event_is_counted_by_reason_and_costs_no_other(
    client: TestClient, app: App
) -> None:
    batch = {
        "writeKey": KEY,
        "batch": [
            {"type": "track", "userId": "u", "messageId": "ok", "event": "Product Viewed"},
            {"type": "track", "userId": "u", "timestamp": "yesterday", "event": "Product Viewed"},
            "no call at all",
        ],
    }
    before = app.store.stats().events
    assert client.post("/v1/batch", json=batch).status_code == 200
    assert app.store.stats().events == before + 1
    assert client.post(f"/v1/collect?key={KEY}", content=b"nonsense").status_code == 422
    future = {"id": "x", "type": "t", "session": "s", "time": "2030-01-01T00:00:00Z"}
    assert client.post(f"/v1/collect?key={KEY}", json={"events": [future]}).status_code == 202
    counted = {(one.source, one.field): one.count for one in app.store.rejected()}
    assert counted["segment", "timestamp"] == 1
    assert counted["segment", ""] == 1
    assert counted["tracker", "time"] == 1
    assert counted["tracker", ""] == 1


def test_reasons_that_strangers_make_up_take_no_room_without_end(app: App) -> None:
    from recoup.domain.series import LineProblem
    from store.rejections import MOST_REASONS, OTHER

    for number in range(0, MOST_REASONS + 50, 50):
        batch = [LineProblem(1, f"field {number + i}\x00", "unknown") for i in range(50)]
        app.store.note_rejected("stranger", batch)
    found = [one for one in app.store.rejected() if one.source == "stranger"]
    assert len(found) == MOST_REASONS + 1
    assert sum(one.count for one in found) == MOST_REASONS + 50
    assert OTHER in {one.reason for one in found}


def test_only_pages_of_the_shop_may_send(client: TestClient) -> None:
    body = json.dumps({"events": []})
    path = f"/v1/collect?key={KEY}"
    good = client.post(path, content=body, headers={"Origin": "https://shop.example"})
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    bad = client.post(path, content=body, headers={"Origin": "https://evil.example"})
    assert bad.status_code == 401
    assert "access-control-allow-origin" not in bad.headers
    asked = client.options("/v1/collect", headers={"Origin": "https://shop.example"})
    assert asked.status_code == 204
    assert "POST" in asked.headers["access-control-allow-methods"]


@pytest.mark.parametrize("vendor", ["segment", "ga4", "snowplow"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_bodies_of_any_shape_are_taken_or_refused_but_never_fail(
    client: TestClient, vendor: str, data: st.DataObject
) -> None:
    paths = {
        "segment": "/v1/batch",
        "ga4": f"/mp/collect?api_secret={KEY}",
        "snowplow": f"{SNOWPLOW}?key={KEY}",
    }
    name = {"segment": "batch", "ga4": "purchase", "snowplow": "requests"}[vendor]
    body = _warped(data, recorded(vendor, name))
    headers = {"Authorization": f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}"}
    raw = json.dumps(body).encode()
    answer = client.post(paths[vendor], content=raw, headers=headers)
    assert answer.status_code in (200, 204, 401, 422), answer.text


def _warped(data: st.DataObject, value: Any) -> Any:
    """Return a body with one part replaced by something of another kind."""
    strange = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.text(max_size=300),
        st.lists(st.integers(), max_size=2),
        st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "\x00"]),
    )
    if isinstance(value, dict) and value and data.draw(st.integers(0, 6)):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: _warped(data, value[name])}
    if isinstance(value, list) and value and data.draw(st.integers(0, 6)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], _warped(data, value[place]), *value[place + 1 :]]
    return data.draw(strange)
