"""What the Slack app needs of Recoup, and the sentences and lists that it shows of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from integrations.slack.blocks import page_of, state_of, what_broke
from integrations.slack.text import lines_within, moment, outside
from recoup.domain.changes import Change
from recoup.domain.clock import Clock
from recoup.domain.errors import MissingRight, RecoupError
from recoup.domain.facts import FreezeSet
from recoup.domain.freezing import check_may_freeze, freeze_in_force, turn
from recoup.domain.ids import derive_id
from recoup.domain.incident import Incident
from recoup.domain.ports import (
    ChangeViews,
    DecisionDesk,
    Directory,
    FactLog,
    IncidentViews,
    Notifier,
)
from recoup.domain.proposals import Person

LIMIT = 2900
FORESEEN_WITHIN_S = 1.0
"""What opens a form is good for three seconds; nothing may take long before it."""
SHOWN = 10
CHANGES_OF = timedelta(hours=6)
STRANGER = "Recoup does not know you yet. Ask an admin to add `{}` to the people in its settings."
HELP = (
    "*What you can ask of Recoup*\n"
    "`/recoup status` how things stand\n"
    "`/recoup incidents` the open incidents\n"
    "`/recoup changes` what was changed in the last hours\n"
    "`/recoup freeze REASON` forbid every action; `/recoup unfreeze` allows them again\n"
    "`/recoup help` this text"
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class House:
    """Everything of Recoup that a click, a command or the home tab touches."""

    desk: DecisionDesk
    directory: Directory
    clock: Clock
    incidents: IncidentViews
    changes: ChangeViews
    log: FactLog
    notifier: Notifier
    public_url: str
    foresee: Callable[[str], str] = lambda _incident_id: ""
    """Says what calling an incident a false positive would change."""

    async def person(self, user_id: str, name: str = "") -> Person:
        """Return who a Slack user is, with the roles they have now."""
        await self.directory.refresh()
        return self.directory.person("slack", user_id, name)

    async def incident(self, incident_id: str) -> Incident | None:
        """Return an incident as it stands now."""
        return await asyncio.to_thread(self.incidents.get, incident_id)

    async def foreseen(self, incident_id: str) -> str:
        """Return what a false positive would change; empty when that cannot be told at once."""
        try:
            telling = asyncio.to_thread(self.foresee, incident_id)
            return await asyncio.wait_for(telling, FORESEEN_WITHIN_S)
        except (TimeoutError, RecoupError) as error:
            _log.warning("slack.not_foreseen", reason=str(error))
            return ""

    async def frozen_by(self) -> FreezeSet | None:
        """Return the freeze in force, if any."""
        return await asyncio.to_thread(freeze_in_force, self.log)

    async def freeze(self, person: Person, frozen: bool, reason: str, occasion: str) -> str:
        """Forbid or allow every action; return the sentence that says what became of it."""
        try:
            check_may_freeze(person)
        except MissingRight:
            return "Only an approver or an admin may do that; nothing was changed."
        fact = FreezeSet(frozen=frozen, by=person.id, reason=reason)
        fact_id = derive_id("freeze", "slack", occasion, frozen)
        await asyncio.to_thread(turn, self.log, fact_id, fact, self.clock.now())
        if frozen:
            return "Frozen: no action is carried out until `/recoup unfreeze`."
        return "Allowed again: approved actions are carried out."

    async def status(self) -> str:
        """Return in a few lines how things stand."""
        found = await asyncio.to_thread(self.incidents.list, open_only=True, limit=1000)
        waiting = sum(each.status == "awaiting_approval" for each in found)
        frozen = await self.frozen_by()
        lines = [
            f"*{len(found)} open incidents*, {waiting} waiting for a decision.",
            _frozen_line(frozen) if frozen else "Actions are allowed.",
        ]
        return lines_within([*lines, *[self.line_of(each) for each in found[:SHOWN]]], LIMIT)

    async def open_incidents(self) -> str:
        """Return a line for each open incident."""
        found = await asyncio.to_thread(self.incidents.list, open_only=True, limit=SHOWN)
        if not found:
            return "No incident is open."
        return lines_within([self.line_of(each) for each in found], LIMIT)

    async def recent_changes(self) -> str:
        """Return a line for each change of the last hours, the latest first."""
        now = self.clock.now()
        found = await asyncio.to_thread(self.changes.between, now - CHANGES_OF, now)
        if not found:
            return "Nothing was changed in the last six hours."
        return lines_within([_change(each) for each in reversed(found[-SHOWN:])], LIMIT)

    def line_of(self, incident: Incident) -> str:
        """Return an incident in one line."""
        what = outside(f"{what_broke(incident)} for {incident.cohort.label}", 250)
        address = page_of(incident, self.public_url)
        link = f" <{address}|open>" if address else ""
        risk = outside(incident.at_risk_per_hour.text(), 100)
        return f"• {state_of(incident)}: {what}, {risk} per hour{link}"


def _change(change: Change) -> str:
    what = outside(change.title or change.ref or change.id, 200)
    by = f" (by {outside(change.by, 80)})" if change.by else ""
    return f"• {moment(change.time)} {change.kind.value}: {what}{by}"


def _frozen_line(fact: FreezeSet) -> str:
    reason = outside(fact.reason or "no reason given", 200)
    return f":ice_cube: Every action is frozen by {outside(fact.by, 80)}: {reason}"
