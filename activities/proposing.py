"""Chooses a playbook for a hypothesis, previews its actions and puts it before people."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from temporalio import activity

from activities.contracts import Proposed, ProposeInput, VerifyPlan
from activities.doing import Hands
from activities.lessons import Lessons
from activities.limiting import Limiting
from activities.recording import Recorder
from activities.trust import Trusted
from playbooks.choice import applicable, by_experience, calls_for, names_for, risk_of
from playbooks.expressions import render
from playbooks.model import Playbook
from recoup.domain.errors import (
    ConfigurationError,
    InvalidInput,
    NotFound,
    StateMoved,
    VendorRefused,
)
from recoup.domain.facts import PlaybookHeld, ProposalMade
from recoup.domain.hypotheses import Hypothesis
from recoup.domain.ids import IdSource
from recoup.domain.incident import Incident
from recoup.domain.outcomes import PlaybookRecord, records_of
from recoup.domain.ports import ChangeViews
from recoup.domain.proposals import ActionCall, ActionPreview, ApprovalRule, Proposal, Rung

_log = structlog.get_logger()
_Names = Mapping[str, object]


class Proposing:
    """Makes proposals; every proposal is bound to the state of its targets at that moment."""

    def __init__(
        self,
        recorder: Recorder,
        changes: ChangeViews,
        hands: Hands,
        ids: IdSource,
        lessons: Lessons,
        limiting: Limiting,
        trusted: Trusted,
    ) -> None:
        self._recorder = recorder
        self._changes = changes
        self._library = trusted.library
        self._hands = hands
        self._ids = ids
        self._lessons = lessons
        self._limiting = limiting
        self._trusted = trusted

    @activity.defn
    async def propose(self, request: ProposeInput) -> Proposed:
        """Record a proposal; a repeat returns the one that was stored first, nonce and all."""
        stored = await self._stored(request)
        if stored is None:
            made = ProposalMade(incident_id=request.incident_id, proposal=await self._make(request))
            step = f"proposal:{request.version}"
            entry = await self._recorder.record(request.incident_id, step, made)
            assert isinstance(entry.fact, ProposalMade)
            stored = entry.fact.proposal
        plan = plan_of(self._library[stored.playbook])
        incident = await self._recorder.incident(request.incident_id)
        wake = self._trusted.why_wake(incident, stored.rung, stored.made_at)
        return Proposed(proposal=stored, plan=plan, wake=wake)

    async def _stored(self, request: ProposeInput) -> Proposal | None:
        for entry in await self._recorder.stream(request.incident_id):
            if isinstance(entry.fact, ProposalMade) and (
                entry.fact.proposal.version == request.version
            ):
                return entry.fact.proposal
        return None

    async def _make(self, request: ProposeInput) -> Proposal:
        incident = await self._recorder.incident(request.incident_id)
        hypothesis = _hypothesis(incident, request.change_id)
        change = self._changes.get(request.change_id)
        names = names_for(incident, hypothesis, change)
        records = records_of(await asyncio.to_thread(self._lessons.outcomes))
        chance = f"{request.incident_id}:{request.version}"
        fitting = by_experience(applicable(self._library, names), names, records, chance)
        wanted = [each for each in fitting if each.name == request.playbook]
        refusals: list[str] = []
        for playbook in wanted or fitting:
            rung = await asyncio.to_thread(
                self._trusted.rung, playbook, incident, self._recorder.clock.now()
            )
            if rung is Rung.SHADOW and playbook.actions and not wanted:
                await self._hold(request, playbook)
                continue
            try:
                calls, previews = await self._preview(request, playbook, names)
                await self._limiting.check(previews)
            except (ConfigurationError, InvalidInput, StateMoved, VendorRefused) as error:
                _log.warning("playbook.unusable", playbook=playbook.name, reason=str(error))
                refusals.append(f"{playbook.name}: {error}")
                continue
            others = tuple(each.name for each in fitting if each.name != playbook.name)
            said = [_reason(hypothesis), *_experience(records.get(playbook.name)), *refusals]
            made = _on_rung(self._proposal(request, playbook, names, calls, previews), rung)
            if made.calls and (held := await self._limiting.held()):
                made, said = _only_suggested(made), [f"Recoup may not act now: {held}", *said]
            author = (change.by if change else "", request.asked_by)
            return made.model_copy(
                update={
                    "alternatives": others,
                    "reason": "; ".join(said),
                    "requested_by": tuple(name for name in author if name),
                }
            )
        raise NotFound(f"no playbook can be used: {'; '.join(refusals) or 'none applies'}")

    async def _hold(self, request: ProposeInput, playbook: Playbook) -> None:
        """Note that a playbook would have been proposed, so that it can earn its trust."""
        held = PlaybookHeld(
            incident_id=request.incident_id,
            playbook=playbook.name,
            change_id=request.change_id,
            reason="it has to prove itself before it may be proposed",
        )
        step = f"held:{playbook.name}:{request.change_id}"
        await self._recorder.record(request.incident_id, step, held)

    async def _preview(
        self, request: ProposeInput, playbook: Playbook, names: _Names
    ) -> tuple[tuple[ActionCall, ...], tuple[ActionPreview, ...]]:
        key = (request.incident_id, request.version)
        calls = calls_for(playbook, names, self._hands.actions, *key)
        previews = [await self._hands.preview(request.incident_id, call) for call in calls]
        return calls, tuple(previews)

    def _proposal(
        self,
        request: ProposeInput,
        playbook: Playbook,
        names: _Names,
        calls: tuple[ActionCall, ...],
        previews: tuple[ActionPreview, ...],
    ) -> Proposal:
        now = self._recorder.clock.now()
        expires_s = playbook.approval.expires_after_s or request.default_expires_s
        return Proposal(
            proposal_id=f"{request.incident_id}:{request.version}",
            version=request.version,
            incident_id=request.incident_id,
            playbook=playbook.name,
            change_id=request.change_id,
            title=str(render(playbook.title, names)),
            risk=risk_of(playbook, names),
            calls=calls,
            previews=previews,
            approval=ApprovalRule(
                roles=self._trusted.roles(playbook, now),
                quorum=playbook.approval.quorum,
                expires_after_s=expires_s,
                not_requester=playbook.approval.not_requester,
            ),
            state_hash=state_hash(calls, previews),
            nonce=self._ids.new("nonce"),
            made_at=now,
            expires_at=now + timedelta(seconds=expires_s),
        )


def plan_of(playbook: Playbook) -> VerifyPlan:
    """Return how a playbook wants its success judged, and what becomes of it otherwise."""
    return VerifyPlan(**playbook.verify.model_dump(), undo=playbook.undo)


def _only_suggested(proposal: Proposal) -> Proposal:
    """Return the proposal as something people do by hand; Recoup then proves the recovery."""
    by_hand = "; ".join(preview.summary for preview in proposal.previews)
    approval = proposal.approval.model_copy(update={"automatic": False})
    return proposal.model_copy(
        update={
            "title": f"By hand: {by_hand}"[:300],
            "calls": (),
            "previews": (),
            "approval": approval,
            "state_hash": state_hash((), ()),
        }
    )


def _on_rung(proposal: Proposal, rung: Rung) -> Proposal:
    """Return the proposal as far as its playbook is trusted."""
    if rung is Rung.SUGGEST and proposal.calls:
        changes = {"calls": (), "previews": (), "suggested": proposal.previews}
        return proposal.model_copy(update={**changes, "rung": rung})
    unasked = rung is Rung.AUTOMATIC and bool(proposal.calls)
    rule = proposal.approval.model_copy(update={"automatic": unasked})
    return proposal.model_copy(
        update={"approval": rule, "rung": Rung.AUTOMATIC if unasked else Rung.APPROVE}
    )


def state_hash(calls: Sequence[ActionCall], previews: Sequence[ActionPreview]) -> str:
    """Return a digest of what would be done and of the state it was computed from."""
    content = {
        "calls": [(call.action, call.params) for call in calls],
        "state": [(preview.target, preview.before, preview.after) for preview in previews],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _hypothesis(incident: Incident, change_id: str) -> Hypothesis | None:
    found = incident.attribution.hypotheses if incident.attribution else ()
    return next((each for each in found if each.change_id == change_id), None)


def _experience(record: PlaybookRecord | None) -> list[str]:
    if record is None or not record.tested:
        return []
    return [f"this playbook helped {record.helped} of {record.tested} times"]


def _reason(hypothesis: Hypothesis | None) -> str:
    if hypothesis is None:
        return "no cause was ranked"
    return f"{hypothesis.title or hypothesis.change_id}: {hypothesis.probability:.0%} likely"
