"""Appends facts so that a retried activity appends nothing new."""

import asyncio
from collections.abc import Sequence

from recoup.domain.clock import Clock
from recoup.domain.errors import NotFound
from recoup.domain.facts import Fact, NewFact, Recorded
from recoup.domain.incident import Incident, fold
from recoup.domain.ports import FactLog


class Recorder:
    """Writes facts of an incident under ids that do not depend on the attempt, and reads them."""

    def __init__(self, log: FactLog, clock: Clock) -> None:
        self._log = log
        self.clock = clock

    async def record(
        self, incident_id: str, step: str, fact: Fact, *, actor: str = "recoup"
    ) -> Recorded:
        """Append one fact; a repeat under the same step returns the one that was stored first."""
        return (await self.record_all(incident_id, [(step, fact)], actor=actor))[0]

    async def record_all(
        self, incident_id: str, steps: Sequence[tuple[str, Fact]], *, actor: str = "recoup"
    ) -> list[Recorded]:
        """Append several facts in one transaction."""
        now = self.clock.now()
        new = [
            NewFact(
                fact_id=f"{incident_id}:{step}",
                fact=fact,
                occurred_at=now,
                actor=actor,
                correlation_id=incident_id,
            )
            for step, fact in steps
        ]
        return await asyncio.to_thread(self._log.append, incident_id, new)

    async def stream(self, incident_id: str) -> list[Recorded]:
        """Return the incident's facts in order."""
        return await asyncio.to_thread(self._log.read_stream, incident_id)

    async def incident(self, incident_id: str) -> Incident:
        """Return the incident folded from its facts. Raises NotFound for an unknown one."""
        incident = fold(await self.stream(incident_id))
        if incident is None:
            raise NotFound(f"no incident {incident_id!r} in the log")
        return incident

    async def facts_of(self, *type_names: str) -> list[Recorded]:
        """Return every fact of these types, in order; for the few that concern all incidents."""
        found: list[Recorded] = []
        while True:
            after = found[-1].position if found else 0
            page = await asyncio.to_thread(self._log.read_facts, after, 1000, type_names)
            found.extend(page)
            if len(page) < 1000:
                return found
