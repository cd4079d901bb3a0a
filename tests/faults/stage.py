"""A Temporal server, a PostgreSQL or SQLite database and a worker that are killed and come back.

The people of the play are a driver that presses the button that its story wants; the stage keeps
everything running, and kills what a fault asks for.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import SystemClock
from recoup.domain.cohort import Cohort
from recoup.domain.errors import RecoupError
from recoup.domain.facts import ChangeRecorded, IncidentKind, IncidentOpened, NewFact, Severity
from recoup.domain.incident import Incident, Status
from recoup.domain.ports import EvidenceRecord, FlagState
from recoup.domain.proposals import Decision, Person, Verdict
from recoup.settings import Settings
from recoup.temporal import TemporalDesk, connect, start_dev_server
from store.opening import Store, open_from
from tests.workflows.ports import MONEY

ROOT = Path(__file__).parents[2]
ANNA = Person(id="anna", name="Anna", roles=("approver",))
PACE = 120.0
DOWN_S = 0.5
"""How long the server or the database stays away."""

PATIENT_S = 3600.0
"""No proposal expires before it is decided, however slow the machine is."""

PRESSED = {"reject": Verdict.REJECT, "false": Verdict.FALSE_POSITIVE}


class Stage:
    """Everything that may die, and the two that watch over it: the keeper and the driver."""

    def __init__(self, folder: Path, settings: Settings, server: Any, postgres: Any) -> None:
        self.folder = folder
        self.settings = settings
        self.server = server
        self.postgres = postgres
        self.worker: subprocess.Popen[bytes] | None = None
        self.kills = {"worker": 0, "server": 0, "database": 0, "loss": 0}
        self.store: Store
        self.desk: TemporalDesk
        self.client: Client

    # Keeping it running

    async def keep(self) -> None:
        """Start the worker again when it is dead; kill and start again what a fault asks for."""
        while True:
            if self.worker is None or self.worker.poll() is not None:
                self.kills["worker"] += self.worker is not None
                self.worker = self._start_worker()
            for kind, kill in (
                ("server", self._kill_server),
                ("loss", self._lose_server),
                ("database", self._kill_database),
            ):
                wish = self.folder / f"kill-{kind}"
                if wish.exists():
                    self.kills[kind] += 1
                    await kill(lambda wish=wish: wish.unlink(missing_ok=True))
            await asyncio.sleep(0.02)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.worker_process", str(self.folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=log,
                stdout=log,
            )

    async def _lose_server(self, go_on: Callable[[], None]) -> None:
        """Let the server die, and throw everything away that it knew."""
        await self._kill_server(go_on, lose=True)

    async def _kill_server(self, go_on: Callable[[], None], *, lose: bool = False) -> None:
        self.server.kill()
        await asyncio.to_thread(self.server.wait)
        for path in self.folder.glob("temporal.db*") if lose else ():
            path.unlink()
        go_on()
        await asyncio.sleep(DOWN_S)
        port = int(self.settings.temporal.address.rsplit(":", 1)[1])
        _address, self.server = start_dev_server(self.folder, port)

    async def _kill_database(self, go_on: Callable[[], None]) -> None:
        os.kill(self.postgres.get_pid(), signal.SIGQUIT)  # every connection dies, nothing is tidied
        while _is_running(self.postgres.get_pid()):
            await asyncio.sleep(0.02)
        go_on()
        await asyncio.sleep(DOWN_S)
        while True:
            # On a slow machine it takes longer to be ready than its starter is willing to wait.
            with contextlib.suppress(subprocess.SubprocessError, AssertionError):
                await asyncio.to_thread(self.postgres.ensure_postgres_running)
                return
            await asyncio.sleep(1.0)

    # The play

    def open_incident(self, incident_id: str) -> None:
        """Record two flag changes and an incident, which the dispatcher will find."""
        now = self.store.clock.now()
        for flag in (f"{incident_id}.a", f"{incident_id}.b"):
            state = FlagState(
                project="shop", environment="production", key=flag, on=True, version=3
            )
            (self.folder / f"flag-{flag}.json").write_text(state.model_dump_json())
            undo = {"action": "flag_rollback", "flag": flag, "project": "shop"}
            change = Change(id=flag, kind=ChangeKind.FLAG, time=now - timedelta(hours=1), undo=undo)
            new = NewFact(
                fact_id=f"change:{flag}", fact=ChangeRecorded(change=change), occurred_at=now
            )
            self.store.append(f"change-{flag}", [new])
        until = now + timedelta(days=30)
        self.store.evidence.put(EvidenceRecord(incident_id=incident_id, until=until, payload=b"-"))
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
        new = NewFact(fact_id=f"{incident_id}:opened", fact=opened, occurred_at=now)
        self.store.append(incident_id, [new])

    async def play(self, incident_id: str, within_s: float = 1500.0) -> Incident | None:
        """Press what the story wants until the incident has its report, or time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        await self.patiently(lambda: self.open_incident(incident_id))
        while loop.time() < end:
            incident = await self.patiently(lambda: self.store.incidents.get(incident_id))
            if incident is not None and incident.report:
                return incident if await self._is_over(incident_id, end) else None
            if incident is not None and incident.status is Status.AWAITING_APPROVAL:
                await self._press(incident)
            await asyncio.sleep(0.1)
        return None

    async def _is_over(self, incident_id: str, end: float) -> bool:
        """Wait for the workflow's own end: a fault may still strike after the last fact."""
        loop = asyncio.get_running_loop()
        handle = self.client.get_workflow_handle(incident_id)
        while loop.time() < end:
            try:
                await asyncio.wait_for(handle.result(), 10.0)
                return True
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return True  # the server lost it after its end
            except TimeoutError:
                pass
            await asyncio.sleep(0.1)
        return False

    async def _press(self, incident: Incident) -> None:
        story = incident.id.split("_")[0]
        proposal = incident.proposal
        if story == "silent" or proposal is None:
            return
        # The same press again, after a lost answer, is the same decision.
        decision = Decision(
            decision_id=f"click-{proposal.proposal_id}",
            incident_id=incident.id,
            proposal_id=proposal.proposal_id,
            proposal_version=proposal.version,
            nonce=proposal.nonce,
            verdict=PRESSED.get(story, Verdict.APPROVE),
            by=ANNA,
            at=datetime.now(UTC),  # noqa: TID251 - not product code
            surface="test",
        )
        await self.desk.decide(decision)

    async def patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask the database, again for as long as it is away."""
        while True:
            with contextlib.suppress(RecoupError):
                return await asyncio.to_thread(ask)
            await asyncio.sleep(0.1)

    def writes(self) -> list[tuple[str, bool]]:
        """Return every write that reached a vendor: which flag, and whether it was turned on."""
        path = self.folder / "writes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(key, on) for key, on in map(json.loads, lines)]

    def is_on(self, flag: str) -> bool:
        return FlagState.model_validate_json((self.folder / f"flag-{flag}.json").read_text()).on


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@asynccontextmanager
async def staged(
    folder: Path,
    faults: list[tuple[str, str, str]],
    postgres: Any = None,
    url: str = "",
    asked_for_s: float = PATIENT_S,
) -> AsyncIterator[Stage]:
    """Start everything, with faults at points of incidents; end everything, whatever happens.

    ``asked_for_s`` is how long a proposal stays open, on the machine's clock.
    """
    address, server = start_dev_server(folder)
    now = SystemClock().now()
    values = {
        "data_dir": str(folder),
        "database_url": url,
        "temporal": {"address": address, "embedded": False},
        "clock": {"pace": PACE, "origin": now.isoformat(), "wall_origin": now.timestamp()},
        "response": {"settle_s": 1, "approval_expires_s": int(asked_for_s * PACE)},
        "guard": {"most_per_hour": 10_000},  # all incidents of a run fall into minutes
    }
    (folder / "stage.json").write_text(json.dumps(values))
    (folder / "faults.json").write_text(json.dumps(faults))
    stage = Stage(folder, Settings.model_validate(values), server, postgres)
    keeper = None
    try:
        stage.store = open_from(stage.settings)
        stage.client = await connect(stage.settings)
        stage.desk = TemporalDesk(stage.client, answer_within_s=5)
        keeper = asyncio.create_task(stage.keep())
        yield stage
        assert not keeper.done() or keeper.result()
    finally:
        if keeper is not None:
            keeper.cancel()
        for process in (stage.worker, stage.server):
            if process is not None:
                process.kill()
                process.wait()
        if hasattr(stage, "store"):
            stage.store.close()
