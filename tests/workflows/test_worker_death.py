"""A real worker process is killed; another one goes on, on a real server and a real database."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import SystemClock
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    ActionApplied,
    ActionStarted,
    ChangeRecorded,
    DecisionTaken,
    IncidentKind,
    IncidentOpened,
    NewFact,
    Resolution,
    Severity,
)
from recoup.domain.incident import Incident
from recoup.domain.ports import EvidenceRecord, FlagState
from recoup.domain.proposals import Decision, DecisionAnswer, Person, Verdict
from recoup.settings import Settings, TemporalSettings
from recoup.temporal import TemporalDesk, connect, start_dev_server
from store.opening import Store, open_store
from tests.workflows.ports import MONEY

ROOT = Path(__file__).parents[2]
ANNA = Person(id="anna", name="Anna", roles=("approver",))


class Site:
    """A Temporal server, a database, and workers that come and go."""

    def __init__(self, folder: Path, address: str, client: Client, store: Store) -> None:
        self.folder = folder
        self.address = address
        self.desk = TemporalDesk(client)
        self.store = store
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, die_at: str = "") -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.workflows.worker_process",
                    str(self.folder),
                    self.address,
                    die_at,
                ],
                cwd=ROOT,
                stderr=log,
                stdout=log,
            )
        self.workers.append(worker)
        return worker

    async def replace_when_dead(self, worker: subprocess.Popen[bytes]) -> None:
        """Start a new worker once this one is dead."""
        await asyncio.to_thread(worker.wait)
        self.start_worker()

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def open_incident(self, incident_id: str) -> None:
        now = self.store.clock.now()
        flag = FlagState(
            project="shop", environment="production", key=incident_id, on=True, version=3
        )
        (self.folder / f"flag-{incident_id}.json").write_text(flag.model_dump_json())
        change = Change(
            id=f"chg_{incident_id}",
            kind=ChangeKind.FLAG,
            time=now - timedelta(minutes=10),
            undo={
                "action": "flag_rollback",
                "project": "shop",
                "environment": "production",
                "flag": incident_id,
            },
        )
        opened = IncidentOpened(
            incident_id=incident_id,
            kind=IncidentKind.BUSINESS,
            severity=Severity.HIGH,
            metric="checkout_started->order_completed",
            cohort=Cohort({"os": "iOS 16"}),
            direction="drop",
            onset_at=now - timedelta(minutes=5),
            opened_at=now,
            expected=0.52,
            observed=0.34,
            trials=900,
            at_risk_per_hour=MONEY,
            alarm_id="alm_1",
        )
        recorded = NewFact(
            fact_id=f"change:{change.id}", fact=ChangeRecorded(change=change), occurred_at=now
        )
        self.store.append(f"change-{change.id}", [recorded])
        self.store.evidence.put(
            EvidenceRecord(incident_id=incident_id, until=now + timedelta(hours=5), payload=b"-")
        )
        new = NewFact(fact_id=f"{incident_id}:opened", fact=opened, occurred_at=now)
        self.store.append(incident_id, [new])

    def incident(self, incident_id: str) -> Incident:
        found = self.store.incidents.get(incident_id)
        assert found is not None
        return found

    async def until_asked(self, incident_id: str, within_s: float = 30) -> Incident:
        return await self._until(incident_id, lambda each: each.proposal is not None, within_s)

    async def until_closed(self, incident_id: str, within_s: float = 40) -> Incident:
        return await self._until(incident_id, lambda each: bool(each.report), within_s)

    async def _until(self, incident_id: str, holds: object, within_s: float) -> Incident:
        end = asyncio.get_running_loop().time() + within_s
        while not holds(self.incident(incident_id)):  # type: ignore[operator]  # a plain predicate
            names = [entry.fact.type_name for entry in self.store.read_stream(incident_id)]
            late = asyncio.get_running_loop().time() > end
            assert not late, (names, (self.folder / "worker.log").read_text()[-2000:])
            await asyncio.sleep(0.05)
        return self.incident(incident_id)

    async def approve(self, incident_id: str, decision_id: str = "click") -> DecisionAnswer:
        proposal = self.incident(incident_id).proposal
        assert proposal is not None
        decision = Decision(
            decision_id=f"{decision_id}-{incident_id}",
            incident_id=incident_id,
            proposal_id=proposal.proposal_id,
            proposal_version=proposal.version,
            nonce=proposal.nonce,
            verdict=Verdict.APPROVE,
            by=ANNA,
            at=self.store.clock.now(),
            surface="test",
        )
        return await self.desk.decide(decision)

    def writes(self) -> list[str]:
        path = self.folder / "writes"
        return path.read_text().splitlines() if path.exists() else []

    def count(self, incident_id: str, kind: type) -> int:
        return sum(isinstance(entry.fact, kind) for entry in self.store.read_stream(incident_id))


@asynccontextmanager
async def site_in(folder: Path) -> AsyncIterator[Site]:
    address, server = start_dev_server(folder)
    store = open_store(f"sqlite:///{folder / 'recoup.db'}", SystemClock())
    site = None
    try:
        client = await connect(
            Settings(data_dir=folder, temporal=TemporalSettings(address=address))
        )
        site = Site(folder, address, client, store)
        yield site
    finally:
        for process in [*(site.workers if site else []), server]:
            if process.poll() is None:
                process.kill()
            process.wait()
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    return data


async def test_a_worker_killed_while_approval_is_pending_is_replaced_and_acts_once(
    folder: Path,
) -> None:
    async with site_in(folder) as site:
        first = site.start_worker()
        site.open_incident("inc_a")
        asked = await site.until_asked("inc_a")
        site.kill(first)
        site.start_worker()
        answer = await site.approve("inc_a")
        assert answer.accepted, answer
        closed = await site.until_closed("inc_a")
        assert asked.proposal == closed.proposal
        assert closed.resolution is Resolution.RECOVERED
        assert len(site.writes()) == 1
        assert site.count("inc_a", ActionStarted) == 1
        assert site.count("inc_a", ActionApplied) == 1
        assert site.count("inc_a", DecisionTaken) == 1


STEPS = (
    "investigate",
    "propose",
    "tell",
    "record_decision",
    "apply_action",
    "start_verification",
    "check_recovery",
    "close",
)
POINTS = [f"{when}:{step}" for step in STEPS for when in ("before", "after")]


@pytest.mark.chaos
@pytest.mark.parametrize("die_at", POINTS)
async def test_a_worker_killed_around_any_step_loses_and_repeats_nothing(
    folder: Path, die_at: str
) -> None:
    """Thirteen incidents at once for each point; the worker dies in the middle of one of them."""
    names = [f"inc_{number}" for number in range(13)]
    async with site_in(folder) as site:
        worker = site.start_worker(die_at)
        for name in names:
            site.open_incident(name)
        replacing = asyncio.create_task(site.replace_when_dead(worker))
        for name in names:
            await site.until_asked(name)
        answers = await asyncio.gather(*(site.approve(name) for name in names))
        # An answer may be lost with the worker; the same click again gets it, and decides nothing.
        again = await asyncio.gather(*(site.approve(name) for name in names))
        assert all(one.accepted or two.accepted for one, two in zip(answers, again, strict=True))
        for name in names:
            closed = await site.until_closed(name)
            assert closed.resolution is Resolution.RECOVERED
            assert site.count(name, ActionStarted) == site.count(name, ActionApplied) == 1
            assert site.count(name, DecisionTaken) == 1
        assert len(site.writes()) == len(names)
        assert (folder / "died").exists()
        replacing.cancel()
