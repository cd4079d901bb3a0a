"""A shop to look at: nine hours of traffic, a broken widget, an incident that waits for an answer.

The real detector made it from events; it is made once for all workers of a test run.
"""

import fcntl
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from detectors.attribution.causes import CauseModel
from detectors.attribution.investigation import investigate
from detectors.evidence import from_bytes
from recoup.app import App, build
from recoup.demo.shop import Fault, Shop
from recoup.demo.standins.running import Running
from recoup.domain.access import Scope
from recoup.domain.changes import Change
from recoup.domain.clock import FixedClock
from recoup.domain.facts import CausesRanked, Fact, NewFact, ProposalMade
from recoup.domain.proposals import (
    ActionCall,
    ActionPreview,
    Decision,
    DecisionAnswer,
    Proposal,
)
from recoup.keys import KeyRing
from recoup.settings import load
from recoup.watch import Watch
from recoup.web.app import build_web

END = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
BROKEN = END - timedelta(hours=1)
FLAG = "launchdarkly:payment-widget-v2:7"


class Desk:
    """Notes what was decided and answers as the workflow would when it accepts."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    async def decide(self, decision: Decision) -> DecisionAnswer:
        self.decisions.append(decision)
        return DecisionAnswer(accepted=True, text=f"Noted: {decision.verdict}.")


class World(NamedTuple):
    """An application over the shop, and who takes decisions."""

    app: App
    desk: Desk
    incident_id: str


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder, made once."""
    folder = tmp_path_factory.getbasetemp().parent / "recoup-pages-world"
    with (tmp_path_factory.getbasetemp().parent / "pages-world.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            folder.mkdir(exist_ok=True)
            make_shop(folder)
            (folder / "done").touch()
    return folder


def make_shop(folder: Path, changes: Sequence[Change] = ()) -> None:
    """Record the shop, detect, and respond; without ``changes`` with those of the tests."""
    config = folder / "recoup.toml"
    config.write_text("[detect]\nwarm_up_h = 7\n")
    app = build(load(config, data_dir=folder), clock=FixedClock(END))
    start = int((END - timedelta(hours=9)).timestamp() * 1000)
    shop = Shop(5, start, start, sale_factor=1.0, fault=Fault(drop=0.95))
    lines = shop.until(BROKEN)
    shop.flag = lambda _dims: True
    lines += shop.until(END)
    for at in range(0, len(lines), 5000):
        app.store.ingest(b"\n".join(lines[at : at + 5000]))
    for change in changes or _changes():
        app.store.record_change(change)
    watch = Watch(app, threading.Event())
    watch._resume()
    while records := app.store.read(watch.position, 20_000):
        watch._process(records)
    _respond(app)
    app.store.close()


def _changes() -> list[Change]:
    flag = {"action": "flag_rollback", "flag": "payment-widget-v2", "project": "shop"}
    return [
        Change(id=FLAG, kind="flag", time=BROKEN, title="payment-widget-v2 <on>",
               ref="payment-widget-v2", scope={"os": ["iOS 16", "iOS 17"]}, undo=flag),
        Change(id="deploy:418", kind="deploy", time=BROKEN - timedelta(hours=2),
               title="search 2.14", ref="4f2a9c1"),
        Change(id="campaign:ig", kind="campaign", time=BROKEN - timedelta(hours=3),
               title="Instagram budget doubled", scope={"campaign": "ig_sale"}),
    ]  # fmt: skip


def _respond(app: App) -> None:
    """Append what a workflow would have found out and proposed."""
    incident = app.store.incidents.list()[0]
    record = app.store.evidence.get(incident.id)
    assert record is not None
    changes = app.store.changes.between(END - timedelta(days=1), END)
    found = investigate(from_bytes(record.payload), changes, CauseModel.default(), explain=False)
    proposal = Proposal(
        proposal_id="prop_1",
        version=1,
        incident_id=incident.id,
        playbook="flag_rollback",
        change_id=FLAG,
        title="Turn payment-widget-v2 off",
        reason="It is the most probable cause.",
        calls=(ActionCall(key="k1", action="flag_rollback"),),
        previews=(
            ActionPreview(
                key="k1",
                action="flag_rollback",
                target="payment-widget-v2",
                summary="Turns payment-widget-v2 off in production",
                touched="Everybody whom the flag serves gets the old widget",
            ),
        ),
        alternatives=("notify_only",),
        state_hash="hash",
        nonce="nonce",
        made_at=incident.opened_at + timedelta(seconds=6),
        expires_at=END + timedelta(minutes=30),
    )
    facts: list[Fact] = [
        CausesRanked(incident_id=incident.id, version=1, attribution=found),
        ProposalMade(incident_id=incident.id, proposal=proposal),
    ]
    at = incident.opened_at + timedelta(seconds=6)
    new = [NewFact(fact_id=f"n{n}", fact=fact, occurred_at=at) for n, fact in enumerate(facts)]
    app.store.append(incident.id, new)


Opening = Callable[..., World]


@pytest.fixture
def opening(recorded: Path, tmp_path: Path) -> Iterator[Opening]:
    """Opens a copy of the shop; settings can be given."""
    opened: list[App] = []

    def open_one(**settings: Any) -> World:
        folder = tmp_path / f"world-{len(opened)}"
        shutil.copytree(recorded, folder)
        app = build(load(data_dir=folder, **settings), clock=FixedClock(END))
        opened.append(app)
        return World(app, Desk(), app.store.incidents.list()[0].id)

    yield open_one
    for app in opened:
        app.store.close()


@pytest.fixture
def world(opening: Opening) -> World:
    return opening()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(build_web(world.app, world.desk), follow_redirects=False) as found:
        found.headers["Accept"] = "text/html"
        yield found


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    """The pages of a Recoup that has seen nothing yet."""
    app = build(load(data_dir=tmp_path / "empty"), clock=FixedClock(END))
    with TestClient(build_web(app, Desk())) as found:
        found.headers["Accept"] = "text/html"
        yield found
    app.store.close()


@pytest.fixture
def dumped() -> Callable[[Any], str]:
    return json.dumps


class Site(NamedTuple):
    """Pages that a browser can reach, and the application behind them."""

    url: str
    world: World
    key: str = ""
    """Of a viewer, where people have to sign in."""


@contextmanager
def served(folder: Path, incident_id: str = "") -> Iterator[Site]:
    """Serve the application of a folder on a free port."""
    app, desk = build(load(data_dir=folder), clock=FixedClock(END)), Desk()
    found = incident_id or next((each.id for each in app.store.incidents.list()), "")
    with Running(build_web(app, desk)) as running:
        yield Site(running.url, World(app, desk, found))
    app.store.close()


@pytest.fixture(scope="module")
def site(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The shop, open to this machine; one for each module."""
    with served(shutil.copytree(recorded, tmp_path_factory.mktemp("site") / "data")) as found:
        yield found


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Recoup that has seen nothing yet."""
    with served(tmp_path_factory.mktemp("empty-site")) as found:
        yield found


@pytest.fixture(scope="module")
def closed_site(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The shop with a key in the settings, so that people have to sign in."""
    folder = shutil.copytree(recorded, tmp_path_factory.mktemp("closed-site") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_API_KEYS", "the-key-of-the-settings")
        with served(folder) as found:
            ring = KeyRing(found.world.app.store, found.world.app.clock)
            _, key = ring.create("screen in the hall", (Scope.INCIDENTS_READ,), "test")
            yield found._replace(key=key)
