"""Ends an incident: keeps decisions and feedback, closes, and writes the report."""

from functools import cache
from importlib.resources import files

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from temporalio import activity

from activities.contracts import (
    CloseInput,
    FeedbackInput,
    Nothing,
    ProposalEnded,
    RecordDecisionInput,
)
from activities.recording import Recorder
from activities.timeline import line_for
from recoup.domain.facts import (
    ApprovalExpired,
    DecisionTaken,
    Fact,
    FeedbackGiven,
    IncidentClosed,
    Recorded,
    ReportWritten,
)
from recoup.domain.incident import Incident, fold


class Closing:
    """Writes what people decided, how it ended, and the report."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn
    async def record_decision(self, request: RecordDecisionInput) -> Nothing:
        """Record a decision, accepted or refused; a repeat changes nothing."""
        decision = request.decision
        taken = DecisionTaken(
            incident_id=decision.incident_id,
            decision=decision,
            accepted=request.accepted,
            answer=request.answer,
        )
        await self._recorder.record(
            decision.incident_id,
            f"decision:{decision.decision_id}",
            taken,
            actor=decision.by.id,
        )
        return Nothing()

    @activity.defn
    async def record_expiry(self, request: ProposalEnded) -> Nothing:
        """Record that nobody decided in time."""
        expired = ApprovalExpired(incident_id=request.incident_id, proposal_id=request.proposal_id)
        await self._recorder.record(request.incident_id, f"expired:{request.proposal_id}", expired)
        return Nothing()

    @activity.defn
    async def record_false_positive(self, request: FeedbackInput) -> Nothing:
        """Record the feedback that releases the withheld trials into the learners."""
        given = FeedbackGiven(
            incident_id=request.incident_id,
            label="false_positive",
            by=request.by,
            reason=request.reason,
        )
        await self._recorder.record(
            request.incident_id, "feedback:false_positive", given, actor=request.by
        )
        return Nothing()

    @activity.defn
    async def close(self, request: CloseInput) -> Nothing:
        """Record the end and the report; both once."""
        incident = await self._recorder.incident(request.incident_id)
        closed = IncidentClosed(
            incident_id=request.incident_id,
            resolution=request.resolution,
            closed_at=self._recorder.clock.now(),
            impact=incident.impact,
            recovered_per_hour=incident.recovered_per_hour,
            summary=request.summary,
        )
        facts = await self._recorder.stream(request.incident_id)
        if not any(isinstance(entry.fact, IncidentClosed) for entry in facts):
            facts.append(_as_if_recorded(facts[-1], closed))
        ended = fold(facts)
        assert ended is not None
        report = ReportWritten(
            incident_id=request.incident_id, markdown=render_report(ended, facts)
        )
        # In one transaction: nobody comes back to a closed incident to write its report.
        steps: list[tuple[str, Fact]] = [("closed", closed), ("report", report)]
        await self._recorder.record_all(request.incident_id, steps)
        return Nothing()


def _as_if_recorded(last: Recorded, fact: IncidentClosed) -> Recorded:
    """Return the fact as the next of its stream, for the report that is stored together with it."""
    changes = {
        "fact": fact,
        "version": last.version + 1,
        "occurred_at": fact.closed_at,
        "actor": "recoup",
    }
    return last.model_copy(update=changes)


@cache
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain
    return environment


def plain(text: object) -> str:
    """Return a text from outside as one line in which Markdown means nothing."""
    one_line = " ".join(str(text).split())
    return "".join(f"\\{each}" if each in r"\`*_[]<>|#" else each for each in one_line)


def render_report(incident: Incident, facts: list[Recorded]) -> str:
    """Return the post-incident report as Markdown, from the incident's facts alone."""
    template = (files("activities") / "templates" / "report.md").read_text()
    timeline = [line for entry in facts if (line := line_for(entry))]
    return _environment().from_string(template).render(incident=incident, timeline=timeline)
