# ruff: noqa: ARG002 - a stand-in has the whole signature of its port
"""Honest stand-ins for the ports of the response: they keep the ports' promises, in memory.

A vendor's stand-in can be told to misbehave once: ``fail_next`` holds what to do before or after
the write, so that a lost answer, a refusal and a moved target can be told apart by the code under
test only in the way it can in life.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.analysis import AnalysisStep
from activities.joining import Ports
from playbooks.action import Controls
from playbooks.loader import load_library
from playbooks.registry import shipped_actions
from recoup.domain.calendar import Calendar
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import FixedClock
from recoup.domain.cohort import Cohort
from recoup.domain.errors import (
    StateMoved,
    TransientVendorError,
    VendorNeedsApproval,
    VendorRefused,
    VersionConflict,
)
from recoup.domain.facts import (
    ChangeRecorded,
    Fact,
    IncidentKind,
    IncidentOpened,
    NewFact,
    Recorded,
    Severity,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Attribution, Hypothesis
from recoup.domain.ids import RandomIds
from recoup.domain.incident import Incident, fold
from recoup.domain.limits import Limits
from recoup.domain.money import Impact, MoneyRange
from recoup.domain.ports import (
    CampaignState,
    EvidenceRecord,
    FlagState,
    ReleasePlace,
    ReleaseState,
    VendorReview,
)
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
INCIDENT = "inc_0123456789abcdef0123"
MONEY = MoneyRange(low=800, mid=1000, high=1200)


class MemoryLog:
    """The FactLog's promises in memory: order, versions, idempotent fact ids."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.entries: list[Recorded] = []
        self.linger: dict[str, float] = {}
        """How long an append of these facts takes to return after it is visible."""

    def append(
        self, stream: str, facts: Sequence[NewFact], expected_version: int | None = None
    ) -> list[Recorded]:
        version = sum(1 for entry in self.entries if entry.stream == stream)
        if expected_version is not None and expected_version != version:
            raise VersionConflict(f"{stream} has version {version}")
        stored = []
        for new in facts:
            found = next((each for each in self.entries if each.fact_id == new.fact_id), None)
            if found is None:
                version += 1
                found = Recorded(
                    position=len(self.entries) + 1,
                    stream=stream,
                    version=version,
                    recorded_at=self.clock.now(),
                    **{name: getattr(new, name) for name in NewFact.model_fields},
                )
                self.entries.append(found)
            stored.append(found)
        time.sleep(max(self.linger.get(new.fact.type_name, 0) for new in facts))
        return stored

    def read_stream(self, stream: str) -> list[Recorded]:
        return [entry for entry in self.entries if entry.stream == stream]

    def read_facts(
        self, after: int = 0, limit: int = 1000, types: Iterable[str] = ()
    ) -> list[Recorded]:
        wanted = set(types)
        return [
            entry
            for entry in self.entries
            if entry.position > after and (not wanted or entry.fact.type_name in wanted)
        ][:limit]

    def incident(self, incident_id: str = INCIDENT) -> Incident:
        found = fold(self.read_stream(incident_id))
        assert found is not None
        return found

    def facts(self, kind: type[Fact] | None = None, stream: str = INCIDENT) -> list[Any]:
        return [
            entry.fact
            for entry in self.read_stream(stream)
            if kind is None or isinstance(entry.fact, kind)
        ]

    def names(self, stream: str = INCIDENT) -> list[str]:
        return [entry.fact.type_name for entry in self.read_stream(stream)]


class MemoryIncidents:
    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    def get(self, incident_id: str) -> Incident | None:
        return fold(self.log.read_stream(incident_id))

    def list(self, *, open_only: bool = False, limit: int = 100) -> list[Incident]:
        streams = dict.fromkeys(
            entry.stream for entry in self.log.entries if isinstance(entry.fact, IncidentOpened)
        )
        found = [each for name in streams if (each := self.get(name)) is not None]
        return [each for each in found if not (open_only and each.resolution)][:limit]


class MemoryChanges:
    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}

    def between(self, start: datetime, end: datetime, limit: int = 500) -> list[Change]:
        found = [each for each in self.changes.values() if start <= each.time <= end]
        return sorted(found, key=lambda each: each.time)[:limit]

    def get(self, change_id: str) -> Change | None:
        return self.changes.get(change_id)


class MemoryEvidence:
    def __init__(self) -> None:
        self.records: dict[str, EvidenceRecord] = {}

    def get(self, incident_id: str) -> EvidenceRecord | None:
        return self.records.get(incident_id)

    def put(self, record: EvidenceRecord) -> None:
        self.records[record.incident_id] = record


class Misbehaving:
    """What a vendor does wrong, in order: each entry is for one write.

    ``before`` fails without doing, ``after`` does it and loses the answer, an exception is raised
    as it is, "" works.
    """

    def __init__(self) -> None:
        self.faults: list[str | Exception] = []
        self.read_faults: list[Exception] = []
        self.writes = 0
        self.keys: list[str] = []
        self.on_write: Callable[[], None] = lambda: None

    def on_read(self) -> None:
        if self.read_faults:
            raise self.read_faults.pop(0)

    def before_write(self) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        self.on_write()
        self.on_write = lambda: None
        if isinstance(fault, Exception):
            raise fault
        if fault == "before":
            raise TransientVendorError("connection reset before the request")
        return fault

    def after_write(self, fault: str, key: str) -> None:
        self.writes += 1
        self.keys.append(key)
        if fault == "after":
            raise TransientVendorError("connection reset, answer lost")


class MemoryFlags(Misbehaving):
    def __init__(self) -> None:
        super().__init__()
        self.flags: dict[tuple[str, str, str], FlagState] = {}
        self.depending: tuple[str, ...] | None = None
        self.reviews: list[Any] = []
        """While there are any, a change needs the vendor's yes: where that stands at each look."""

    def set(self, key: str, *, on: bool, version: int = 7) -> None:
        self.flags["shop", "production", key] = FlagState(
            project="shop",
            environment="production",
            key=key,
            on=on,
            version=version,
            variations=("provider_a", "provider_b"),
            serving={"value": "provider_b"},
        )

    def on(self, key: str) -> bool:
        return self.flags["shop", "production", key].on

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        self.on_read()
        found = self.flags.get((project, environment, key))
        if found is None:
            raise VendorRefused(f"no flag {key}", kind="not_found")
        return found

    async def dependents(self, state: FlagState) -> tuple[str, ...] | None:
        return self.depending

    async def rehearse(self, state: FlagState, **change: Any) -> None:
        return None

    async def ask(self, state: FlagState, **change: Any) -> VendorReview:
        self.asked = {name: change[name] for name in ("on", "serving") if name in change}
        return VendorReview(review_id="review-1", status="pending")

    async def look(self, state: FlagState, review_id: str) -> VendorReview:
        status = self.reviews.pop(0)
        if status == "applied":
            self._write(state, self.asked, review_id)
        return VendorReview(review_id=review_id, status=status)

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        return self._write(state, {"on": on}, idempotency_key)

    async def serve(
        self, state: FlagState, *, serving: dict[str, Any], comment: str, idempotency_key: str
    ) -> FlagState:
        return self._write(state, {"serving": serving}, idempotency_key)

    def _write(self, state: FlagState, change: dict[str, Any], key: str) -> FlagState:
        if self.reviews:
            raise VendorNeedsApproval("the vendor wants its own approval")
        fault = self.before_write()
        place = (state.project, state.environment, state.key)
        if self.flags[place].version != state.version:
            raise StateMoved(f"flag {state.key} has another version")
        after = state.model_copy(update={**change, "version": state.version + 1})
        self.flags[place] = after
        self.after_write(fault, key)
        return after


class MemoryCampaigns(Misbehaving):
    def __init__(self) -> None:
        super().__init__()
        self.campaigns: dict[str, CampaignState] = {}

    def set(self, campaign_id: str, *, active: bool) -> None:
        self.campaigns[campaign_id] = CampaignState(
            platform="meta",
            campaign_id=campaign_id,
            active=active,
            raw_status="ACTIVE" if active else "PAUSED",
        )

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        return None

    async def read(self, campaign_id: str, platform: str = "") -> CampaignState:
        self.on_read()
        found = self.campaigns.get(campaign_id)
        if found is None:
            raise VendorRefused(f"no campaign {campaign_id}", kind="not_found")
        return found

    async def set_active(
        self, state: CampaignState, *, active: bool, idempotency_key: str
    ) -> CampaignState:
        fault = self.before_write()
        if self.campaigns[state.campaign_id] != state:
            raise StateMoved(f"campaign {state.campaign_id} changed")
        self.set(state.campaign_id, active=active)
        self.after_write(fault, idempotency_key)
        return self.campaigns[state.campaign_id]


class MemoryWebhooks(Misbehaving):
    """A receiver that, as Standard Webhooks ask, acts once for each key."""

    def __init__(self) -> None:
        super().__init__()
        self.acted: dict[str, dict[str, Any]] = {}

    async def call(self, url: str, body: dict[str, Any], *, idempotency_key: str) -> dict[str, Any]:
        fault = self.before_write()
        self.acted.setdefault(idempotency_key, body)
        self.after_write(fault, idempotency_key)
        return {"ok": True}


class MemoryReleases(Misbehaving):
    """One place with a history of versions; what is deployed is live at once unless told."""

    def __init__(self) -> None:
        super().__init__()
        self.history = ["v1", "v2"]
        self.status: Any = "live"

    def _state(self, place: ReleasePlace) -> ReleaseState:
        newest = self.history[-1]
        previous = next((each for each in reversed(self.history) if each != newest), "")
        return ReleaseState(
            place=place,
            version=newest,
            previous=previous,
            mark=str(len(self.history)),
            status=self.status,
        )

    async def read(self, place: ReleasePlace) -> ReleaseState:
        self.on_read()
        return self._state(place)

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        return name

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        fault = self.before_write()
        if str(len(self.history)) != state.mark:
            raise StateMoved("somebody deployed")
        self.history.append(version)
        self.after_write(fault, idempotency_key)
        return self._state(state.place)


class MemoryNotifier:
    def __init__(self) -> None:
        self.posts: list[Incident] = []
        self.updates: list[Incident] = []
        self.replies: list[str] = []
        self.loud: list[str] = []
        self.away = False
        self.gone = False

    def _check(self) -> None:
        if self.away:
            raise TransientVendorError("chat is away")

    async def post(self, incident: Incident) -> dict[str, str]:
        self._check()
        self.posts.append(incident)
        return {"channel": "C1", "ts": str(len(self.posts))}

    async def update(self, incident: Incident, reference: dict[str, str]) -> None:
        self._check()
        if self.gone:
            raise VendorRefused("the message was deleted", kind="message_gone")
        self.updates.append(incident)

    async def reply(self, reference: dict[str, str], text: str, *, loud: bool = False) -> None:
        self._check()
        (self.loud if loud else self.replies).append(text)


class MemoryPager:
    def __init__(self) -> None:
        self.triggered: list[str] = []
        self.resolved: list[str] = []

    async def trigger(self, incident: Incident, reason: str) -> str:
        self.triggered.append(reason)
        return f"recoup:{incident.id}"

    async def resolve(self, incident: Incident) -> None:
        self.resolved.append(incident.id)


@dataclass
class ScriptedAnalyst:
    """Says what it was told to: rankings one after the other (the last stays), then verdicts.

    ``verdicts`` may hold a callable that decides by looking at the world.
    """

    rankings: list[list[tuple[str, float]]] = field(default_factory=list)
    verdicts: list[Any] = field(default_factory=list)
    ranked: int = 0
    checks: int = 0

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        ranking = self.rankings[min(self.ranked, len(self.rankings) - 1)]
        self.ranked += 1
        yield AnalysisStep(name="timing", summary=f"{len(changes)} changes near the onset")
        yield AnalysisStep(
            name="ranking", summary="ranked", attribution=attribution(ranking, evidence.until)
        )

    def check_recovery(
        self, evidence: EvidenceRecord, since: datetime, *, margin: float, within_s: int
    ) -> RecoveryCheck:
        self.checks += 1
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        return check(verdict() if callable(verdict) else verdict, evidence.until, since)


def check(verdict: RecoveryVerdict, at: datetime, since: datetime) -> RecoveryCheck:
    return RecoveryCheck(
        verdict=verdict,
        at=at,
        since=since,
        trials=400,
        observed=0.51,
        expected=0.52,
        gap=-0.02,
        gap_low=-0.05,
        gap_high=0.01,
        recovered_per_hour=MONEY,
    )


def attribution(ranking: Sequence[tuple[str, float]], until: datetime) -> Attribution:
    return Attribution(
        roots=(Cohort({"os": "iOS 16"}),),
        hypotheses=tuple(
            Hypothesis(
                change_id=change_id,
                kind=None if change_id == UNKNOWN_CAUSE else ChangeKind.FLAG,
                title=change_id,
                probability=probability,
            )
            for change_id, probability in ranking
        ),
        impact=Impact(at_risk_per_hour=MONEY, lost_so_far=MONEY),
        evidence_until=until,
    )


class World:
    """One shop with one incident, all ports, and a clock that only the test moves."""

    def __init__(self, kind: IncidentKind = IncidentKind.BUSINESS, *, shadow: bool = False) -> None:
        self.clock = FixedClock(START)
        self.log = MemoryLog(self.clock)
        self.incidents = MemoryIncidents(self.log)
        self.changes = MemoryChanges()
        self.evidence = MemoryEvidence()
        self.flags = MemoryFlags()
        self.campaigns = MemoryCampaigns()
        self.webhooks = MemoryWebhooks()
        self.releases = MemoryReleases()
        self.notifier = MemoryNotifier()
        self.pager = MemoryPager()
        self.analyst = ScriptedAnalyst(
            rankings=[[("chg_flag", 0.9), (UNKNOWN_CAUSE, 0.1)]],
            verdicts=[RecoveryVerdict.UNDECIDED, RecoveryVerdict.RECOVERED],
        )
        self.library = load_library()
        self.limits = Limits()
        self.calendar = Calendar()
        self.positions = itertools.count(1)
        self.flags.set("new_payment", on=True)
        self.add_change("chg_flag", {"action": "flag_rollback", "flag": "new_payment"})
        self.open(kind, shadow=shadow)

    def add_change(self, change_id: str, undo: dict[str, Any], kind: str = "flag") -> None:
        undo = {"project": "shop", "environment": "production", **undo}
        change = Change(
            id=change_id,
            kind=ChangeKind(kind),
            time=START - timedelta(minutes=30),
            title=change_id,
            ref=str(undo.get("flag", change_id)),
            undo=undo,
        )
        self.changes.changes[change_id] = change
        self.append(f"change-{change_id}", f"change:{change_id}", ChangeRecorded(change=change))

    def append(self, stream: str, fact_id: str, fact: Fact) -> Recorded:
        new = NewFact(fact_id=fact_id, fact=fact, occurred_at=self.clock.now())
        return self.log.append(stream, [new])[0]

    def open(self, kind: IncidentKind, *, shadow: bool) -> None:
        opened = IncidentOpened(
            incident_id=INCIDENT,
            kind=kind,
            severity=Severity.HIGH,
            metric="checkout_started->order_completed",
            cohort=Cohort({"os": "iOS 16"}),
            direction="drop",
            onset_at=START - timedelta(minutes=20),
            opened_at=START,
            expected=0.52,
            observed=0.34,
            trials=900,
            at_risk_per_hour=MONEY,
            alarm_id="alm_1",
            shadow=shadow,
        )
        self.append(INCIDENT, f"{INCIDENT}:opened", opened)
        self.see(hours=24)

    def see(self, hours: float) -> None:
        """Let the detector leave evidence that reaches into the future of the fixed clock."""
        until = self.clock.now() + timedelta(hours=hours)
        self.evidence.put(EvidenceRecord(incident_id=INCIDENT, until=until, payload=b"-"))

    def controls(self) -> Controls:
        return Controls(
            flags=self.flags,
            campaigns=self.campaigns,
            webhooks=self.webhooks,
            releases=self.releases,
        )

    def ports(self) -> Ports:
        return Ports(
            log=self.log,
            changes=self.changes,
            evidence=self.evidence,
            clock=self.clock,
            ids=RandomIds(),
            notifier=self.notifier,
            pager=self.pager,
            flags=self.flags,
            campaigns=self.campaigns,
            webhooks=self.webhooks,
            releases=self.releases,
            analyst=self.analyst,
            library=self.library,
            actions=shipped_actions(),
            limits=self.limits,
            calendar=self.calendar,
        )
