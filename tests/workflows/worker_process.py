"""A real worker and dispatcher in a process of their own, to be killed; vendors are files.

Usage: worker_process.py FOLDER ADDRESS [DIE_AT]. ``DIE_AT`` is ``before:NAME`` or ``after:NAME``:
the process kills itself the first time that activity is about to run, or has run but not reported.
"""

# ruff: noqa: ARG002 - a stand-in has the whole signature of its port

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.analysis import AnalysisStep
from activities.guarding import GuardingInterceptor
from activities.joining import Ports, join
from playbooks.loader import load_library
from playbooks.registry import shipped_actions
from recoup.dispatch import Dispatcher
from recoup.domain.changes import Change
from recoup.domain.clock import SystemClock
from recoup.domain.errors import StateMoved
from recoup.domain.ids import RandomIds
from recoup.domain.ports import EvidenceRecord, FlagState
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict
from recoup.settings import Settings, TemporalSettings
from recoup.temporal import connect
from recoup.worker import STICKY
from store.opening import open_store
from tests.workflows.ports import (
    MemoryCampaigns,
    MemoryNotifier,
    MemoryPager,
    MemoryReleases,
    MemoryWebhooks,
    attribution,
    check,
)
from workflows.incident import IncidentWorkflow
from workflows.messages import ResponsePolicy

QUEUE = "killed"
PACE = 120.0


class FileFlags:
    """Flags in files, one each; every write is a line in ``writes``, so that two are seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        return self.folder / f"flag-{key}.json"

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        return FlagState.model_validate_json(self._path(key).read_text())

    async def dependents(self, state: FlagState) -> tuple[str, ...] | None:
        return None

    async def rehearse(self, state: FlagState, **change: Any) -> None:
        return None

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        present = await self.read(state.project, state.environment, state.key)
        if present.version != state.version:
            raise StateMoved(f"flag {state.key} has another version")
        after = state.model_copy(update={"on": on, "version": state.version + 1})
        fresh = self._path(state.key).with_suffix(f".{os.getpid()}")
        fresh.write_text(after.model_dump_json())
        fresh.rename(self._path(state.key))
        with (self.folder / "writes").open("a") as log:
            log.write(json.dumps([state.key, on, idempotency_key]) + "\n")
        return after


class LookingAnalyst:
    """Blames the flag of the incident, and sees the cohort back once that flag is off."""

    def __init__(self, flags: FileFlags) -> None:
        self.flags = flags

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        change = f"chg_{evidence.incident_id}"
        found = attribution([(change, 0.9)], datetime.now(UTC))  # noqa: TID251 - not product code
        yield AnalysisStep(name="ranking", summary="ranked", attribution=found)

    def check_recovery(
        self, evidence: EvidenceRecord, since: datetime, *, margin: float, within_s: int
    ) -> RecoveryCheck:
        state = FlagState.model_validate_json(self.flags._path(evidence.incident_id).read_text())
        verdict = RecoveryVerdict.UNDECIDED if state.on else RecoveryVerdict.RECOVERED
        return check(verdict, evidence.until, since)


class DieAt(Interceptor):
    """Kills this process without warning around one activity, once for each folder."""

    def __init__(self, point: str, marker: Path) -> None:
        self.point = point
        self.marker = marker

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Dying(next, self)

    def die_if(self, when: str) -> None:
        if self.point == f"{when}:{activity.info().activity_type}" and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class _Dying(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, killer: DieAt) -> None:
        super().__init__(next)
        self.killer = killer

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self.killer.die_if("before")
        result = await self.next.execute_activity(input)
        self.killer.die_if("after")
        return result


async def main(folder: Path, address: str, die_at: str) -> None:
    settings = Settings(data_dir=folder, temporal=TemporalSettings(address=address))
    client = await connect(settings)
    store = open_store(settings.store_url, SystemClock())
    flags = FileFlags(folder)
    actions = shipped_actions()
    ports = Ports(
        log=store,
        changes=store.changes,
        evidence=store.evidence,
        clock=SystemClock(),
        ids=RandomIds(),
        notifier=MemoryNotifier(),
        pager=MemoryPager(),
        flags=flags,
        campaigns=MemoryCampaigns(),
        webhooks=MemoryWebhooks(),
        releases=MemoryReleases(),
        analyst=LookingAnalyst(flags),
        library=load_library(None, actions),
        actions=actions,
    )
    policy = ResponsePolicy(pace=PACE, settle_s=1, verify_every_s=60)
    dispatcher = Dispatcher(store, store.incidents, client, QUEUE, policy)
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[IncidentWorkflow],
        activities=join(ports),
        interceptors=[DieAt(die_at, folder / "died"), GuardingInterceptor()],
        sticky_queue_schedule_to_start_timeout=STICKY,
    )
    async with worker:
        position = store.checkpoint("dispatcher")
        while True:
            reached = await dispatcher.step(position)
            if reached > position:
                store.note_position("dispatcher", reached)
            position = reached
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    with contextlib.suppress(KeyboardInterrupt):
        die_at = sys.argv[3] if len(sys.argv) > 3 else ""
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2], die_at))
