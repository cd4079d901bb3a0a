"""What the inside needs from the outside, as protocols; ``recoup.app`` joins them to vendors."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

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
    """A feature flag in one environment, as its vendor has it.

    ``variations`` are the values it can serve; ``serving`` is what it serves where no rule says
    otherwise: ``{"value": one of them}``, or ``{"rollout": {the vendor's id of one: weight}}``.
    """

    project: str
    environment: str
    key: str
    on: bool
    version: int
    name: str = ""
    variations: tuple[Any, ...] = ()
    serving: dict[str, Any] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)


class VendorReview(Frozen):
    """Where a vendor's own approval of a change stands; ``url`` is where people give it."""

    review_id: str
    status: Literal["pending", "approved", "applied", "declined", "withdrawn"]
    url: str = ""


class FlagControl(Protocol):
    """Reads and switches feature flags.

    A change is ``on`` (switch it) or ``serving`` (serve something else where no rule says
    otherwise). Writes raise StateMoved when somebody changed the flag since, VendorNeedsApproval
    when the vendor wants an approval of its own.
    """

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        """Return the flag's state. Raises VendorRefused (``not_found``) or a transient error."""
        ...

    async def dependents(self, state: FlagState) -> tuple[str, ...] | None:
        """Return the flags that change with this one; None when the vendor does not say."""
        ...

    async def rehearse(
        self, state: FlagState, *, on: bool | None = None, serving: dict[str, Any] | None = None
    ) -> None:
        """Ask the vendor whether it would take this change; nothing is stored."""
        ...

    async def serve(
        self, state: FlagState, *, serving: dict[str, Any], comment: str, idempotency_key: str
    ) -> FlagState:
        """Serve something else where no rule says otherwise; return the new state."""
        ...

    async def ask(
        self,
        state: FlagState,
        *,
        on: bool | None = None,
        serving: dict[str, Any] | None = None,
        description: str,
        idempotency_key: str,
    ) -> VendorReview:
        """Ask for the vendor's own approval of a change; a repeat returns the same request."""
        ...

    async def look(self, state: FlagState, review_id: str) -> VendorReview:
        """Return where the request stands; one that was approved is applied first."""
        ...

    async def withdraw(self, state: FlagState, review_id: str) -> None:
        """Take a request back that nobody decided yet."""
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

    async def read(self, campaign_id: str, platform: str = "") -> CampaignState:
        """Return the campaign's state; without a platform there must be only one configured."""
        ...

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Ask the platform whether it would take this change; nothing is stored."""
        ...

    async def set_active(
        self, state: CampaignState, *, active: bool, idempotency_key: str
    ) -> CampaignState:
        """Pause or resume the campaign if it still is as in ``state``; return the new state."""
        ...


class ReleasePlace(Frozen):
    """Where a release runs: ``project`` is a repository or a namespace, ``environment`` a stage.

    ``workflow`` names the pipeline that deploys, on platforms that are asked to run one.
    """

    platform: str
    project: str
    environment: str = "production"
    workflow: str = ""

    @property
    def label(self) -> str:
        """The place in one word, as targets are named."""
        extra = f"#{self.workflow}" if self.workflow else ""
        return f"{self.platform}:{self.project}@{self.environment}{extra}"


class ReleaseState(Frozen):
    """What runs at a place, as the deploying platform has it.

    ``mark`` differs after every deployment, whoever made it: comparing it is comparing the state.
    ``underway`` means that ``version`` is being rolled out and not everybody has it yet.
    ``previous`` is the version that ran before it and worked; empty when there is none.
    """

    place: ReleasePlace
    version: str
    previous: str = ""
    mark: str
    status: Literal["live", "underway", "failed"]
    url: str = ""


class ReleaseControl(Protocol):
    """Reads what runs, and brings another version to run."""

    async def read(self, place: ReleasePlace) -> ReleaseState:
        """Return what runs there. Raises VendorRefused (``not_found``) or a transient error."""
        ...

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        """Return the version (as in ``ReleaseState.version``) that a tag or revision stands for."""
        ...

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        """Start bringing ``version`` to ``state.place`` if its mark still is ``state.mark``.

        ``repeat`` tells that an earlier attempt may have reached the platform: what it started is
        looked for and not started again; where nobody can see that, the answer is VendorRefused
        (``unknown_outcome``). Raises StateMoved when somebody else deployed since.
        """
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

    async def reply(self, reference: dict[str, str], text: str, *, loud: bool = False) -> None:
        """Add lines to the incident's thread; ``loud`` ones are shown beside the thread too."""
        ...


class Pager(Protocol):
    """Wakes somebody up, and lets them sleep again."""

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Open (or repeat, harmlessly) the page of an incident; return its key."""
        ...

    async def resolve(self, incident: Incident) -> None:
        """Close the page of an incident."""
        ...


class WeeklyDigest(Protocol):
    """Tells people how a week was."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways that are set up: ``slack``, ``email``."""
        ...

    async def send(self, way: str, week: str) -> str:
        """Send the digest of a week (``2026-W47``) one way; return where it went.

        Sent again it may arrive twice. Raises TransientVendorError or VendorRefused.
        """
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


class IdentityProvider(Protocol):
    """Signs people in: sends a browser there, and takes it when it comes back."""

    async def send_there(self, request: Any, back_to: str) -> Any:
        """Return the redirect to the provider. Raises TransientVendorError when it is away."""
        ...

    async def person_from(self, request: Any) -> Person:
        """Return who came back. Raises NotAllowed unless everything about the answer holds."""
        ...
