"""What the inside needs from the outside, as protocols; ``recoup.app`` joins them to vendors."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from recoup.domain.base import Frozen, Moment
from recoup.domain.changes import Change
from recoup.domain.facts import NewFact, Recorded
from recoup.domain.incident import Incident
from recoup.domain.proposals import Decision, DecisionAnswer, Person


class FactLog(Protocol):
    """The part of the log that holds domain events."""

    def append(
        self, stream: str, facts: Sequence[NewFact], expected_version: int | None = None
    ) -> list[Recorded]:
        """Append facts to a stream in one transaction; durable when it returns.

        A ``fact_id`` that is already in the log is not appended again; the stored one is returned
        in its place. Raises VersionConflict when ``expected_version`` is given and is not the
        stream's present version (0 for a new stream), StorageUnavailable when it cannot be stored.
        """
        ...

    def read_stream(self, stream: str) -> list[Recorded]:
        """Return the facts of one stream in order of version; empty for an unknown stream."""
        ...

    def read_facts(
        self, after: int = 0, limit: int = 1000, types: Iterable[str] = ()
    ) -> list[Recorded]:
        """Return facts with a position above ``after``, in order, at most ``limit`` of them."""
        ...


class IncidentViews(Protocol):
    """The read model of incidents."""

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident, or None."""
        ...

    def list(self, *, open_only: bool = False, limit: int = 100) -> list[Incident]:
        """Return incidents, the latest first."""
        ...


class ChangeViews(Protocol):
    """The read model of changes."""

    def between(self, start: datetime, end: datetime, limit: int = 500) -> list[Change]:
        """Return the changes with ``start <= time <= end``, in order of time."""
        ...

    def get(self, change_id: str) -> Change | None:
        """Return one change, or None."""
        ...


class EvidenceRecord(Frozen):
    """The tallies of an incident as the detector last stored them; opaque outside detectors/."""

    incident_id: str
    until: Moment
    payload: bytes


class EvidenceStore(Protocol):
    """Where the detector leaves what it knows of each open incident."""

    def get(self, incident_id: str) -> EvidenceRecord | None:
        """Return the latest evidence of an incident, or None."""
        ...

    def put(self, record: EvidenceRecord) -> None:
        """Replace the evidence of an incident."""
        ...


class FlagState(Frozen):
    """A feature flag in one environment, as its vendor has it."""

    project: str
    environment: str
    key: str
    on: bool
    version: int
    name: str = ""
    extra: dict[str, Any] = Field(default_factory=dict)


class FlagControl(Protocol):
    """Reads and switches feature flags."""

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        """Return the flag's state. Raises VendorRefused (``not_found``) or a transient error."""
        ...

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        """Turn the flag on or off if it still has ``state.version``; return the new state.

        Raises StateMoved when somebody changed it since, VendorNeedsApproval when the vendor wants
        an approval of its own.
        """
        ...


class CampaignState(Frozen):
    """An advertising campaign, as its platform has it."""

    platform: str
    campaign_id: str
    name: str = ""
    active: bool
    raw_status: str = ""


class CampaignControl(Protocol):
    """Reads, pauses and resumes advertising campaigns."""

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        ...

    async def set_active(
        self, state: CampaignState, *, active: bool, idempotency_key: str
    ) -> CampaignState:
        """Pause or resume the campaign if it still is as in ``state``; return the new state."""
        ...


class WebhookControl(Protocol):
    """Calls a customer's own endpoint with a signed message (Standard Webhooks)."""

    async def call(self, url: str, body: dict[str, Any], *, idempotency_key: str) -> dict[str, Any]:
        """Post the body; return the JSON answer (``{}`` when there is none)."""
        ...


class Notifier(Protocol):
    """A chat in which people are told and asked: one message an incident, updated in place."""

    async def post(self, incident: Incident) -> dict[str, str]:
        """Post the incident's message; return what ``update`` needs (channel, ts)."""
        ...

    async def update(self, incident: Incident, reference: dict[str, str]) -> None:
        """Redraw the incident's message from its present state."""
        ...

    async def reply(self, reference: dict[str, str], text: str) -> None:
        """Add a line to the incident's thread."""
        ...


class Pager(Protocol):
    """Wakes somebody up, and lets them sleep again."""

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Open (or repeat, harmlessly) the page of an incident; return its key."""
        ...

    async def resolve(self, incident: Incident) -> None:
        """Close the page of an incident."""
        ...


class DecisionDesk(Protocol):
    """Takes a person's decision to the workflow that waits for it."""

    async def decide(self, decision: Decision) -> DecisionAnswer:
        """Hand over the decision; return the workflow's answer (also when it refuses)."""
        ...


class Directory(Protocol):
    """Knows people and their roles."""

    def person(self, surface: str, external_id: str, name: str = "") -> Person:
        """Return the person behind a surface's user id; without roles when unknown."""
        ...

    async def refresh(self) -> None:
        """Bring memberships of groups up to date, if they are old; never raises."""
        ...
