"""Histories of vendors that send nothing: read over the wire, followed, and their bad days."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

import integrations
from integrations.histories import Window, followed, histories
from integrations.http import VendorHttp
from integrations.meta_ads.history import alters
from recoup.app import App, build
from recoup.demo.standins.ad_histories import GoogleHistoryStandIn, MetaHistoryStandIn
from recoup.demo.standins.ads import GOOGLE_CUSTOMER, TOKEN
from recoup.demo.standins.misbehaving import READS, WRITES, Fault, Misbehaving
from recoup.demo.standins.running import Running
from recoup.domain.changes import Change
from recoup.domain.clock import FixedClock
from recoup.domain.errors import ConfigurationError
from recoup.following import FIRST_LOOK, OVERLAP, Follower, run_followers
from recoup.settings import load
from tests.integrations.subjects import FastTime

SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONE = "America/New_York"


@dataclass
class Stage:
    """One history with its stand-in behind a moody proxy, followed by an application."""

    name: str
    app: App
    clock: FixedClock
    vendor: Any
    proxy: Misbehaving
    time: FastTime
    put: Callable[[datetime, str], None]
    """Lets the vendor keep that a campaign of a name was switched on at a moment."""

    def follower(self) -> Follower:
        [history] = followed(self.app.settings)
        return Follower(self.app, history)

    def changes(self) -> list[Change]:
        return self.app.store.changes.between(NOW - timedelta(days=40), NOW + timedelta(days=40))


def meta(proxied: Callable[[Any], Misbehaving]) -> tuple[Any, Misbehaving, dict[str, str], Any]:
    vendor = MetaHistoryStandIn("1234567890")
    proxy = proxied(vendor.app)
    environment = {
        "RECOUP_META_ADS_BASE_URL": proxy.url,
        "RECOUP_META_ADS_ACCESS_TOKEN": TOKEN,
        "RECOUP_META_ADS_ACCOUNT_ID": "act_1234567890",
    }

    def put(moment: datetime, name: str) -> None:
        [sample] = recorded("meta_ads", "activities", "data")[:1]
        vendor.activities.append(
            {**sample, "event_time": f"{moment:%FT%T}+0000", "object_name": name, "object_id": "9"}
        )

    return vendor, proxy, environment, put


def google(proxied: Callable[[Any], Misbehaving]) -> tuple[Any, Misbehaving, dict[str, str], Any]:
    vendor = GoogleHistoryStandIn("UTC", NOW)
    proxy = proxied(vendor.app)
    environment = {
        "RECOUP_GOOGLE_ADS_BASE_URL": proxy.url,
        "RECOUP_GOOGLE_ADS_TOKEN_URL": f"{proxy.url}/token",
        "RECOUP_GOOGLE_ADS_DEVELOPER_TOKEN": "dev",
        "RECOUP_GOOGLE_ADS_CLIENT_SECRET": "secret",
        "RECOUP_GOOGLE_ADS_REFRESH_TOKEN": TOKEN,
        "RECOUP_GOOGLE_ADS_CUSTOMER_ID": GOOGLE_CUSTOMER,
    }

    def put(moment: datetime, name: str) -> None:
        [sample] = recorded("google_ads", "change_events", "results")[:1]
        event = {**sample["changeEvent"], "changeDateTime": f"{moment:%F %T}"}
        campaign = {**sample["campaign"], "name": name, "id": "9"}
        vendor.rows.append({"changeEvent": event, "campaign": campaign})

    return vendor, proxy, environment, put


STAGES = {"meta_ads": meta, "google_ads": google}


def recorded(vendor: str, name: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SAMPLES / vendor / f"{name}.json").read_text())[key]
    return found


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RECOUP_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=sorted(STAGES))
def stage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    with ExitStack() as stack:

        def proxied(app: Any) -> Misbehaving:
            running = stack.enter_context(Running(app))
            return stack.enter_context(Misbehaving(running.url))

        vendor, proxy, environment, put = STAGES[request.param](proxied)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        time, clock = FastTime(), FixedClock(NOW)
        http = VendorHttp(time, sleep=time.sleep, timeout=httpx.Timeout(0.5, connect=2.0))
        app = build(load(data_dir=tmp_path), clock=clock, http=http)
        yield Stage(request.param, app, clock, vendor, proxy, time, put)
        app.store.close()


def test_every_history_has_a_recorded_answer_and_a_stage() -> None:
    assert set(histories()) == set(STAGES)
    for name in histories():
        assert list((SAMPLES / name).glob("*.json"))
        assert len((SAMPLES / name / "README.md").read_text()) > 100


async def test_what_was_altered_is_recorded_once_however_often_it_is_read(stage: Stage) -> None:
    stage.put(NOW - timedelta(minutes=20), "sale")
    stage.put(NOW - timedelta(minutes=10), "brand")
    follower = stage.follower()
    assert follower.is_due()
    assert await follower.look() == 2
    assert not follower.is_due()
    stage.clock.advance(300)
    assert follower.is_due()
    stage.put(NOW + timedelta(minutes=1), "newsletter")
    assert await follower.look() == 1
    stage.clock.advance(300)
    assert await follower.look() == 0
    assert len(stage.changes()) == 3
    first = stage.changes()[0]
    assert first.time == NOW - timedelta(minutes=20)
    assert "sale" in first.title
    assert first.undo["action"] == "campaign_pause"
    [entry] = stage.app.store.read_stream(f"change-{first.id}")
    assert entry.actor == f"history:{stage.name}"


async def test_what_the_vendor_shows_late_is_found_behind_the_last_look(stage: Stage) -> None:
    follower = stage.follower()
    assert await follower.look() == 0
    stage.put(NOW - OVERLAP + timedelta(minutes=1), "late")
    stage.put(NOW - OVERLAP - timedelta(minutes=1), "too late")
    stage.clock.advance(300)
    assert await follower.look() == 1
    assert [change.time for change in stage.changes()] == [NOW - OVERLAP + timedelta(minutes=1)]


async def test_the_first_look_goes_back_as_far_as_a_change_may_be_suspected(stage: Stage) -> None:
    stage.put(NOW - FIRST_LOOK + timedelta(minutes=1), "in")
    stage.put(NOW - FIRST_LOOK - OVERLAP - timedelta(minutes=1), "out")
    assert await stage.follower().look() == 1


async def test_a_restart_goes_on_where_it_was_and_a_second_process_waits(stage: Stage) -> None:
    stage.put(NOW - timedelta(hours=30), "old")
    assert await stage.follower().look() == 1
    other = stage.follower()
    assert not other.is_due()
    stage.clock.advance(300)
    asked = len(stage.proxy.seen)
    stage.put(NOW + timedelta(minutes=2), "new")
    assert await other.look() == 1
    assert not stage.follower().is_due()
    assert len(stage.proxy.seen) > asked


async def test_after_a_month_of_standstill_only_what_the_vendor_keeps_is_asked_for(
    stage: Stage,
) -> None:
    await stage.follower().look()
    stage.clock.advance(timedelta(days=60).total_seconds())
    stage.vendor.now = stage.clock.now()
    stage.put(stage.clock.now() - timedelta(days=20), "meanwhile")
    assert await stage.follower().look() == 1


@pytest.mark.parametrize(
    ("fault", "looks"),
    [
        (Fault(status=429, headers={"Retry-After": "3"}, methods=READS | WRITES), 1),
        (Fault(status=503, methods=READS | WRITES), 1),
        (Fault(methods=READS | WRITES), 1),
        (Fault(methods=READS | WRITES, silent_s=0.8), 1),
        (Fault(status=429, headers={"Retry-After": "900"}, methods=READS | WRITES), 2),
        (Fault(status=403, body={"error": {"code": 200}}, methods=READS | WRITES), 2),
        (Fault(status=200, body={"error": {"code": 17}}, methods=READS | WRITES), 0),
        (Fault(status=200, body={"data": {}, "results": {}}, methods=READS | WRITES), 0),
        (Fault(status=200, body=["no object"], methods=READS | WRITES), 2),
    ],
    ids=lambda value: getattr(value, "status", None) or value,
)
async def test_a_bad_day_of_the_vendor_loses_nothing(
    stage: Stage, fault: Fault, looks: int
) -> None:
    """``looks`` says how many looks it takes; 0: as many as it takes, at most three."""
    stage.put(NOW - timedelta(minutes=1), "sale")
    follower = stage.follower()
    stage.proxy.faults = [fault]
    counted = []
    with capture_logs() as logs:
        for _ in range(looks or 3):
            counted.append(await follower.look())
            stage.clock.advance(1800)
            await stage.time.sleep(1800)
    assert sum(counted) == 1
    if looks:
        assert counted == [0] * (looks - 1) + [1]
    assert TOKEN not in json.dumps(logs, default=str)


async def test_a_failure_is_waited_out_longer_each_time_and_never_ends_the_worker(
    stage: Stage,
) -> None:
    follower = stage.follower()
    stage.proxy.faults = [Fault(status=403, methods=READS | WRITES) for _ in range(3)]
    pauses = []
    with capture_logs() as logs:
        for _ in range(3):
            assert await follower.look() == 0
            assert not follower.is_due()
            pauses.append([each for each in logs if each["event"] == "history.waits"][-1])
            stage.clock.advance(900)
            assert follower.is_due()
    assert [each["pause_s"] for each in pauses] == [600, 900, 900]
    assert await follower.look() == 0
    stage.clock.advance(300)
    assert follower.is_due()


async def test_entries_that_nobody_can_read_cost_no_other(stage: Stage) -> None:
    stage.put(NOW - timedelta(minutes=1), "sale")
    stage.put(NOW - timedelta(minutes=2), "odd")
    if stage.name == "meta_ads":
        odd = stage.vendor.activities[-1]
        odd["event_type"] = ""
        stage.vendor.activities.append({**odd, "event_type": "update_campaign_x", "object_id": {}})
    else:
        stage.vendor.rows[-1]["changeEvent"]["changedFields"] = 7
        event = {"changeDateTime": "2026-11-24 11:00:00 at noon", "changeResourceType": "CAMPAIGN"}
        stage.vendor.rows.append({"changeEvent": event})
    with capture_logs() as logs:
        assert await stage.follower().look() == 1
    assert sum(each["event"] == "history.entry_unreadable" for each in logs) == 2


async def test_all_pages_are_read_and_never_by_an_address_that_is_given(stage: Stage) -> None:
    count = 210
    for number in range(count):
        stage.put(NOW - timedelta(minutes=number), f"campaign {number}")
    stage.vendor.page = 100
    assert await stage.follower().look() == count
    assert len(stage.changes()) == count


async def test_pages_without_end_are_left(stage: Stage) -> None:
    if stage.name != "meta_ads":
        pytest.skip("Google gives whole pages and a last one")
    stage.put(NOW - timedelta(minutes=1), "sale")
    stage.vendor.same_cursor = True
    assert await stage.follower().look() == 1
    assert len(stage.proxy.seen) == 2


async def test_the_worker_follows_until_it_is_stopped(stage: Stage) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_followers(stage.app, stop))
    stage.put(NOW - timedelta(minutes=1), "sale")
    async with asyncio.timeout(20):
        while not stage.changes():
            await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(5):
        await running


@pytest.mark.parametrize("utm", ["name", "id", "other"])
async def test_meta_s_recorded_answer(monkeypatch: pytest.MonkeyPatch, utm: str) -> None:
    monkeypatch.setenv("RECOUP_META_ADS_UTM_CAMPAIGN", utm)
    found = await _read("meta_ads", recorded("meta_ads", "activities", "data"), monkeypatch)
    assert [(f"{each.time:%R}", each.by, each.undo.get("action", "")) for each in found] == [
        ("10:42", "Anna Albers", "campaign_pause"),
        ("10:42", "Anna Albers", ""),
        ("10:15", "Anna Albers", "campaign_resume"),
        ("09:30", "Bert Brand", ""),
        ("09:10", "Bert Brand", ""),
    ]
    on, _pending, off, budget, _creative = found
    assert on.title == (
        "Campaign status updated: ig_sale_evening, Pending process to Active (by Anna Albers)"
    )
    assert on.undo["campaign_id"] == "120210000000000001"
    assert off.ref == "120210000000000002"
    assert budget.title.startswith("Ad set budget updated: women 25-34, 5000 to 10000")
    scopes = {"name": {"campaign": "ig_sale_evening"}, "id": {"campaign": on.ref}, "other": {}}
    assert on.scope == scopes[utm]
    assert budget.scope == {}


def test_of_every_event_type_that_meta_publishes_it_is_known_whether_it_alters_anything() -> None:
    lines = (SAMPLES / "meta_ads" / "event_types.txt").read_text().split()
    published = dict(line.split("=") for line in lines)
    assert len(published) > 70
    assert {name: alters(name) for name in published} == {
        name: told == "alters" for name, told in published.items()
    }


async def test_what_meta_leaves_null_and_says_in_another_language_is_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [sample, *_] = recorded("meta_ads", "activities", "data")
    codes = {"old_value": "Activo", "new_value": "Inactivo", "run_status": {"new_value": 15}}
    bare = {**sample, "actor_name": None, "extra_data": None, "translated_event_type": None}
    other = {**sample, "extra_data": json.dumps(codes), "object_id": "2"}
    words = {**sample, "extra_data": json.dumps({"new_value": "Inactivo"}), "object_id": "3"}
    told = {each.ref: each for each in await _read("meta_ads", [bare, other, words], monkeypatch)}
    assert told[sample["object_id"]].title == (
        "update campaign run status: ig_sale_evening (by somebody)"
    )
    undone = [told[ref].undo.get("action") for ref in (sample["object_id"], "2", "3")]
    assert undone == [None, "campaign_resume", None]


async def test_google_s_recorded_answer_in_the_account_s_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECOUP_GOOGLE_ADS_UTM_CAMPAIGN", "name")
    rows = recorded("google_ads", "change_events", "results")
    found = await _read("google_ads", rows, monkeypatch)
    assert [(f"{each.time:%R}", each.title) for each in found] == [
        ("15:05", "campaign changed: brand_de, PAUSED to ENABLED (by anna@shop.example)"),
        ("15:10", "budget changed in brand_de, amount 50 to 90 (by bot@agency.example)"),
        ("15:20", "ad created in generic_de (by google ads editor)"),
    ]
    on, budget, ads = found
    assert on.undo == {"action": "campaign_pause", "campaign_id": "777", "platform": "google"}
    assert (on.scope, on.ref, on.by) == ({"campaign": "brand_de"}, "777", "anna@shop.example")
    assert (budget.undo, ads.by) == ({}, "")


async def test_more_rows_than_google_gives_at_once_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.google_ads.history.MOST_ROWS", 40)
    [sample, *_] = recorded("google_ads", "change_events", "results")
    start = datetime(2026, 11, 24, 1, tzinfo=UTC)
    rows = [
        {
            "changeEvent": {
                **sample["changeEvent"],
                "changeDateTime": f"{start + timedelta(seconds=40 * number):%F %T}",
            },
            "campaign": {**sample["campaign"], "id": str(number)},
        }
        for number in range(130)
    ]
    assert len(await _read("google_ads", rows, monkeypatch)) == 130


async def _read(name: str, entries: list[Any], monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    """Return what a history makes of a vendor's entries; Google's account is in New York."""
    vendor: Any = MetaHistoryStandIn("1") if name == "meta_ads" else GoogleHistoryStandIn(ZONE, NOW)
    kept = vendor.activities if name == "meta_ads" else vendor.rows
    kept.extend(entries)
    with Running(vendor.app) as running:
        for key, value in {
            "META_ADS_BASE_URL": running.url,
            "META_ADS_ACCESS_TOKEN": TOKEN,
            "META_ADS_ACCOUNT_ID": "1",
            "GOOGLE_ADS_BASE_URL": running.url,
            "GOOGLE_ADS_TOKEN_URL": f"{running.url}/token",
            "GOOGLE_ADS_DEVELOPER_TOKEN": "dev",
            "GOOGLE_ADS_CLIENT_SECRET": "secret",
            "GOOGLE_ADS_REFRESH_TOKEN": TOKEN,
            "GOOGLE_ADS_CUSTOMER_ID": GOOGLE_CUSTOMER,
        }.items():
            monkeypatch.setenv(f"RECOUP_{key}", value)
        [history] = [each for each in followed(load()) if each.name == name]
        time = FastTime()
        http = VendorHttp(time, sleep=time.sleep)
        found = await history.read(http, Window(NOW - timedelta(days=3), NOW))
        await http.close()
    return found


def test_nothing_is_followed_unless_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert followed(load()) == []
    monkeypatch.setenv("RECOUP_META_ADS_ACCESS_TOKEN", TOKEN)
    assert followed(load()) == []
    monkeypatch.setenv("RECOUP_META_ADS_ACCOUNT_ID", "act_1")
    assert [(each.name, each.poll_s) for each in followed(load())] == [("meta_ads", 300)]
    monkeypatch.setenv("RECOUP_META_ADS_POLL_S", "0")
    assert followed(load()) == []


ACME = '''
"""Acme's history."""
from integrations.histories import History
from recoup.settings import Section

class AcmeSettings(Section):
    """Acme."""
    section_name = "acme"

async def read(settings, http, window):
    return []

HISTORY = History(name="acme", section=AcmeSettings, poll_s=lambda settings: 60, read=read)
'''


def test_a_new_history_is_one_new_file_and_a_name_is_given_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Names that no other test has imported: a package stays imported for all that follow.
    for folder in ("acme_followed", "acme_too"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text('"""Acme."""\n')
    (tmp_path / "acme_followed" / "history.py").write_text(ACME)
    monkeypatch.setattr(integrations, "__path__", [*integrations.__path__, str(tmp_path)])
    assert [each.name for each in followed(load())] == ["acme"]
    (tmp_path / "acme_too" / "history.py").write_text(ACME)
    with pytest.raises(ConfigurationError, match="acme_too"):
        histories()
