"""Opens incidents again whose workflow Temporal has lost: the log says how far each had come.

Only what the read model calls open is looked for. An incident is opened again when Temporal has not
known it for a while: long enough that an activity of the lost workflow, which a worker may still
carry out, has noticed by its heartbeat that nobody waits for it any more.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from temporalio.client import Client

from activities.contracts import VerifyPlan
from activities.proposing import plan_of
from playbooks.loader import load_library
from recoup.app import App
from recoup.domain.clock import Clock, SystemClock
from recoup.domain.facts import NewFact, Recorded, ResponseResumed
from recoup.domain.proposals import Proposal
from recoup.temporal import is_known, register_search_attributes, start_response
from workflows.messages import ResponsePolicy
from workflows.resuming import Plans, resumed

MOST_OPEN = 10_000

_log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How often is looked for lost workflows, and for how long one must have been unknown."""

    look_every_s: float = 60.0
    unknown_for_s: float = 15.0


PATIENCE = Patience()


class Reopener:
    """Looks for open incidents that Temporal does not know, and opens them again."""

    def __init__(
        self,
        app: App,
        client: Client,
        policy: ResponsePolicy,
        patience: Patience,
        wall: Clock | None = None,
    ) -> None:
        self._app = app
        self._client = client
        self._policy = policy
        self._patience = patience
        self._wall = wall or SystemClock()
        self._plans = plans_of(app)
        self._missed: dict[str, float] = {}
        self._look_at = 0.0

    async def look_if_due(self, position: int) -> list[str]:
        """Look when it is time; return which were opened again."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return []
        found = await self.look(position, now)
        waits = self._patience
        pause = min(waits.unknown_for_s, waits.look_every_s) if self._missed else waits.look_every_s
        self._look_at = asyncio.get_running_loop().time() + pause
        return found

    async def look(self, position: int, now: float) -> list[str]:
        """Open again what was missed long enough by ``now``; return which.

        What was opened after ``position`` is left to the dispatcher, who has not come to it yet.
        """
        # A server that lost its data has lost its search attributes too; new incidents need them.
        tagged = await register_search_attributes(self._client)
        missing = [
            incident_id
            for incident_id in await asyncio.to_thread(self._open)
            if not await is_known(self._client, incident_id)
        ]
        self._missed = {each: self._missed.get(each, now) for each in missing}
        due = [
            each
            for each, since in self._missed.items()
            if now - since >= self._patience.unknown_for_s
        ]
        policy = self._policy.model_copy(update={"tagged": tagged})
        done = [each for each in due if await self._reopen(each, position, policy)]
        for each in done:
            del self._missed[each]
        return done

    def _open(self) -> list[str]:
        found = self._app.store.incidents.list(open_only=True, limit=MOST_OPEN)
        return [incident.id for incident in found]

    async def _reopen(self, incident_id: str, position: int, policy: ResponsePolicy) -> bool:
        entries = await asyncio.to_thread(self._app.store.read_stream, incident_id)
        request = resumed(entries, policy, self._plans, self._wall_moment(policy.pace))
        if request is None or request.book is None or entries[0].position > position:
            return False
        await asyncio.to_thread(self._note, entries, request.book.phase)
        await start_response(self._client, self._app.settings.temporal.task_queue, request)
        _log.warning("incident.reopened", incident_id=incident_id, phase=request.book.phase)
        return True

    def _note(self, entries: list[Recorded], phase: str) -> None:
        """Record it, unless that was done just before this process died."""
        last = entries[-1]
        if isinstance(last.fact, ResponseResumed):
            return
        new = NewFact(
            fact_id=f"{last.stream}:resumed:{last.version}",
            fact=ResponseResumed(incident_id=last.stream, phase=phase),
            occurred_at=self._app.clock.now(),
            correlation_id=last.stream,
        )
        self._app.store.append(last.stream, [new])

    def _wall_moment(self, pace: float) -> Callable[[datetime], datetime]:
        """Return what turns a moment of the shop into one of the clock that timers run by."""
        shop_now, wall_now = self._app.clock.now(), self._wall.now()
        return lambda moment: wall_now + (moment - shop_now) / pace


def plans_of(app: App) -> Plans:
    """Return how proposals are judged by the playbooks in force; one that is gone, by settings."""
    library = load_library(app.settings.response.playbook_dir)

    def plan(proposal: Proposal) -> VerifyPlan:
        playbook = library.get(proposal.playbook)
        return plan_of(playbook) if playbook else VerifyPlan()

    return plan
