"""Tells people: one message an incident, edited in place, with its thread; and the pager."""

from temporalio import activity

from activities.contracts import EscalateInput, Nothing, ReminderInput, TellInput, Told
from activities.recording import Recorder
from activities.timeline import line_for
from recoup.domain.errors import VendorRefused
from recoup.domain.facts import ApprovalReminded, ApprovalRequested, Escalated
from recoup.domain.incident import Incident
from recoup.domain.ports import Notifier, Pager

SURFACE = "slack"
ANNOUNCED = "announced"
MESSAGE_GONE = "message_gone"
"""The kind of the refusal by which a chat says that the message was deleted."""
NOBODY = "nobody (the pager did not answer)"


class Telling:
    """Keeps the incident's message and thread in step with its facts, and wakes people."""

    def __init__(self, recorder: Recorder, notifier: Notifier, pager: Pager) -> None:
        self._recorder = recorder
        self._notifier = notifier
        self._pager = pager

    @activity.defn
    async def tell(self, request: TellInput) -> Told:
        """Post or redraw the message, then add what is new to its thread."""
        incident = await self._recorder.incident(request.incident_id)
        reference = incident.messages.get(SURFACE)
        if reference is None:
            reference = await self._post(incident, ANNOUNCED)
        else:
            reference = await self._redraw(incident, reference)
        if request.proposal_id:
            await self._note_asked(incident, request.proposal_id, reference)
        lines = [
            line_for(entry)
            for entry in await self._recorder.stream(request.incident_id)
            if request.after_version < entry.version <= incident.version
        ]
        if news := "\n".join(line for line in lines if line):
            await self._notifier.reply(reference, news)
        return Told(version=incident.version)

    async def _redraw(self, incident: Incident, reference: dict[str, str]) -> dict[str, str]:
        """Draw the message anew; where somebody deleted it, post another."""
        try:
            await self._notifier.update(incident, reference)
        except VendorRefused as refusal:
            if refusal.kind != MESSAGE_GONE:
                raise
            return await self._post(incident, f"{ANNOUNCED}:{incident.version}")
        return reference

    async def _post(self, incident: Incident, step: str) -> dict[str, str]:
        reference = await self._notifier.post(incident)
        asked = ApprovalRequested(
            incident_id=incident.id, proposal_id="", surface=SURFACE, reference=reference
        )
        entry = await self._recorder.record(incident.id, step, asked)
        assert isinstance(entry.fact, ApprovalRequested)
        return entry.fact.reference

    async def _note_asked(
        self, incident: Incident, proposal_id: str, reference: dict[str, str]
    ) -> None:
        asked = ApprovalRequested(
            incident_id=incident.id,
            proposal_id=proposal_id,
            surface=SURFACE,
            reference=reference,
        )
        await self._recorder.record(incident.id, f"asked:{proposal_id}", asked)

    @activity.defn
    async def remind(self, request: ReminderInput) -> Nothing:
        """Say once, where everybody sees it, that a proposal is about to expire."""
        incident = await self._recorder.incident(request.incident_id)
        proposal = incident.proposal
        if proposal is None or proposal.proposal_id != request.proposal_id:
            return Nothing()
        reminded = ApprovalReminded(
            incident_id=incident.id,
            proposal_id=proposal.proposal_id,
            closes_at=proposal.expires_at,
        )
        reference = incident.messages.get(SURFACE)
        if reference is not None:
            roles = " or ".join(proposal.approval.roles)
            text = f"Nobody has decided yet on: {proposal.title}. Needed is the role {roles}."
            await self._notifier.reply(reference, text, loud=True)
        step = f"reminded:{proposal.proposal_id}"
        await self._recorder.record(incident.id, step, reminded)
        return Nothing()

    @activity.defn
    async def escalate(self, request: EscalateInput) -> Nothing:
        """Wake somebody up; a repeat does not wake them twice."""
        incident = await self._recorder.incident(request.incident_id)
        key = await self._pager.trigger(incident, request.reason)
        escalated = Escalated(
            incident_id=request.incident_id, to=key or "pager", reason=request.reason
        )
        await self._recorder.record(request.incident_id, f"escalated:{request.round}", escalated)
        return Nothing()

    @activity.defn
    async def record_escalation(self, request: EscalateInput) -> Nothing:
        """Record that the pager could not be reached: the incident needs people all the same."""
        escalated = Escalated(
            incident_id=request.incident_id,
            to=NOBODY,
            reason=request.reason,
        )
        await self._recorder.record(request.incident_id, f"escalated:{request.round}", escalated)
        return Nothing()

    @activity.defn
    async def end_page(self, request: TellInput) -> Nothing:
        """Let people sleep again."""
        await self._pager.resolve(await self._recorder.incident(request.incident_id))
        return Nothing()
