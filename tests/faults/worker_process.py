"""A real worker and dispatcher in a process of their own, in which faults strike at chosen points.

Usage: python -m tests.faults.worker_process FOLDER. The folder holds ``stage.json`` and
``faults.json``: a list of ``[point, incident, kind]``. A point is ``before:ACTIVITY``,
``after:ACTIVITY``, ``fact:TYPE`` (the fact is durable, nobody knows yet) or ``vendor:switch`` (the
vendor has done it, nobody knows yet). There the process kills itself, or has the server or the
database killed and goes on. Vendors are files, so that every write is seen.
"""

# ruff: noqa: ARG002 - a stand-in has the whole signature of its port

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.analysis import AnalysisStep
from activities.guarding import GuardingInterceptor
from activities.joining import join
from recoup.app import build
from recoup.dispatch import run_dispatcher
from recoup.domain.changes import Change
from recoup.domain.errors import StateMoved
from recoup.domain.facts import NewFact, Recorded
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.ports import EvidenceRecord, FactLog, FlagState
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict
from recoup.reopening import Patience
from recoup.settings import Settings
from recoup.temporal import connect
from recoup.worker import STICKY, ports_of
from tests.workflows.ports import (
    MemoryCampaigns,
    MemoryNotifier,
    MemoryPager,
    MemoryWebhooks,
    attribution,
    check,
)
from workflows.incident import IncidentWorkflow

HELP_WITHIN_S = 120.0
PATIENCE = Patience(look_every_s=1.0, unknown_for_s=8.0)
"""Longer than an activity takes to notice that its workflow is gone; shorter than anybody waits."""


class Faults:
    """Strikes once at each chosen point, whatever process gets there first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = json.loads((folder / "faults.json").read_text())
        self.kinds = {(point, incident): kind for point, incident, kind in listed}

    def hit(self, point: str, incident_id: str) -> None:
        kind = self.kinds.get((point, incident_id))
        if kind is None:
            return
        marker = self.folder / f"struck-{incident_id}"
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return
        if kind == "worker":
            os.kill(os.getpid(), signal.SIGKILL)
        wish = self.folder / f"kill-{kind}"
        wish.touch()
        until = time.monotonic() + HELP_WITHIN_S
        while wish.exists():
            if time.monotonic() > until:
                marker.unlink()  # nobody killed anything: it never struck
                return
            time.sleep(0.02)


class FileFlags:
    """Flags in files, one each; every write is a line in ``writes``, so that two are seen."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self.folder = folder
        self.faults = faults
        self.mutex = threading.Lock()

    def path(self, key: str) -> Path:
        return self.folder / f"flag-{key}.json"

    def is_on(self, key: str) -> bool:
        return FlagState.model_validate_json(self.path(key).read_text()).on

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        return FlagState.model_validate_json(self.path(key).read_text())

    async def dependents(self, state: FlagState) -> tuple[str, ...]:
        return ()

    async def rehearse(self, state: FlagState, **change: Any) -> None:
        return None

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        present = await self.read(state.project, state.environment, state.key)
        if present.version != state.version:
            raise StateMoved(f"flag {state.key} has another version")
        after = state.model_copy(update={"on": on, "version": state.version + 1})
        fresh = self.path(state.key).with_suffix(f".{os.getpid()}")
        with self.mutex, (self.folder / "writes").open("a") as log:
            fresh.write_text(after.model_dump_json())
            fresh.rename(self.path(state.key))
            log.write(json.dumps([state.key, on]) + "\n")
        incident_id = state.key.rsplit(".", 1)[0]
        point = f"vendor:{'restore' if on else 'switch'}"
        await asyncio.to_thread(self.faults.hit, point, incident_id)
        return after


class LookingAnalyst:
    """Blames flag a, then flag b; the cohort is back once the flag that did it is off."""

    def __init__(self, flags: FileFlags) -> None:
        self.flags = flags

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        of = evidence.incident_id
        ranking = [(f"{of}.a", 0.6), (f"{of}.b", 0.3), (UNKNOWN_CAUSE, 0.1)]
        found = attribution(ranking, datetime.now(UTC))  # noqa: TID251 - not product code
        yield AnalysisStep(name="ranking", summary="ranked", attribution=found)

    def check_recovery(
        self, evidence: EvidenceRecord, since: datetime, *, margin: float, within_s: int
    ) -> RecoveryCheck:
        of = evidence.incident_id
        did_it = f"{of}.b" if of.startswith("next") else f"{of}.a"
        other = not self.flags.is_on(f"{of}.a")
        verdict = RecoveryVerdict.NOT_RECOVERED if other else RecoveryVerdict.UNDECIDED
        if not self.flags.is_on(did_it):
            verdict = RecoveryVerdict.RECOVERED
        return check(verdict, evidence.until, since)


class TappedLog:
    """The log, with a point behind every fact that has become durable."""

    def __init__(self, log: FactLog, faults: Faults) -> None:
        self._log = log
        self._faults = faults
        self.read_stream = log.read_stream
        self.read_facts = log.read_facts

    def append(
        self, stream: str, facts: Sequence[NewFact], expected_version: int | None = None
    ) -> list[Recorded]:
        stored = self._log.append(stream, facts, expected_version)
        for entry in stored:
            self._faults.hit(f"fact:{entry.fact.type_name}", stream)
        return stored


class Striking(Interceptor):
    """Has a point before and after every activity."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Struck(next, self.faults)


class _Struck(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, faults: Faults) -> None:
        super().__init__(next)
        self.faults = faults

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = input.fn.__name__
        decision = getattr(input.args[0], "decision", None)
        incident_id = decision.incident_id if decision else _incident_of(input.args[0])
        await asyncio.to_thread(self.faults.hit, f"before:{name}", incident_id)
        result = await self.next.execute_activity(input)
        await asyncio.to_thread(self.faults.hit, f"after:{name}", incident_id)
        return result


def _incident_of(request: Any) -> str:
    inner = getattr(request, "request", request)
    return str(inner.incident_id)


async def main(folder: Path) -> None:
    settings = Settings.model_validate(json.loads((folder / "stage.json").read_text()))
    faults = Faults(folder)
    flags = FileFlags(folder, faults)
    app = build(
        settings,
        flags=flags,
        campaigns=MemoryCampaigns(),
        webhooks=MemoryWebhooks(),
        notifier=MemoryNotifier(),
        pager=MemoryPager(),
    )
    client = await connect(settings)
    ports = replace(ports_of(app, LookingAnalyst(flags)), log=TappedLog(app.store, faults))
    worker = Worker(
        client,
        task_queue=settings.temporal.task_queue,
        workflows=[IncidentWorkflow],
        activities=join(ports),
        interceptors=[Striking(faults), GuardingInterceptor()],
        sticky_queue_schedule_to_start_timeout=STICKY,
    )
    async with worker:
        await run_dispatcher(app, client, asyncio.Event(), PATIENCE)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1])))
