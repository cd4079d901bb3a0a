"""Works out who is hit, what it costs and what probably did it."""

import asyncio
from datetime import timedelta

from temporalio import activity

from activities.analysis import AnalysisStep, Analyst
from activities.contracts import Candidate, InvestigateInput, Ranking
from activities.recording import Recorder
from recoup.domain.errors import NotFound
from recoup.domain.facts import CausesRanked, Fact, InvestigationStepTaken
from recoup.domain.hypotheses import Attribution
from recoup.domain.incident import Incident
from recoup.domain.ports import ChangeViews, EvidenceRecord, EvidenceStore

CHANGES_BEFORE = timedelta(days=3)
"""How long before the onset a change may have been made to be a suspect."""
CANDIDATES = 5


def candidates_of(attribution: Attribution) -> tuple[Candidate, ...]:
    """Return the first hypotheses as a workflow needs them."""
    return tuple(
        Candidate(change_id=each.change_id, probability=each.probability)
        for each in attribution.hypotheses[:CANDIDATES]
    )


class Investigating:
    """Runs the analyst over the evidence and the changes around the onset."""

    def __init__(
        self,
        recorder: Recorder,
        changes: ChangeViews,
        evidence: EvidenceStore,
        analyst: Analyst,
    ) -> None:
        self._recorder = recorder
        self._changes = changes
        self._evidence = evidence
        self._analyst = analyst

    @activity.defn
    async def investigate(self, request: InvestigateInput) -> Ranking:
        """Rank the causes and record each step; a repeat returns the ranking stored first."""
        stored = await self._stored(request)
        if stored is None:
            incident = await self._recorder.incident(request.incident_id)
            steps = await asyncio.to_thread(self._run, incident)
            stored = await self._record(request, steps)
        return Ranking(candidates=candidates_of(stored.attribution))

    async def _stored(self, request: InvestigateInput) -> CausesRanked | None:
        for entry in await self._recorder.stream(request.incident_id):
            if isinstance(entry.fact, CausesRanked) and entry.fact.version == request.version:
                return entry.fact
        return None

    def _run(self, incident: Incident) -> list[AnalysisStep]:
        record = self._evidence_of(incident)
        changes = self._changes.between(incident.onset_at - CHANGES_BEFORE, record.until)
        return list(self._analyst.steps(record, changes))

    def _evidence_of(self, incident: Incident) -> EvidenceRecord:
        record = self._evidence.get(incident.id)
        if record is None:
            raise NotFound(f"the detector has left no evidence of {incident.id} yet")
        return record

    async def _record(self, request: InvestigateInput, steps: list[AnalysisStep]) -> CausesRanked:
        found = [step.attribution for step in steps if step.attribution is not None]
        if not found:
            raise NotFound(f"the investigation of {request.incident_id} came to no ranking")
        facts: list[tuple[str, Fact]] = [
            (
                f"investigation:{request.version}:{number}",
                InvestigationStepTaken(
                    incident_id=request.incident_id,
                    step=step.name,
                    summary=step.summary,
                    detail=step.detail,
                ),
            )
            for number, step in enumerate(steps)
        ]
        ranked = CausesRanked(
            incident_id=request.incident_id, version=request.version, attribution=found[-1]
        )
        facts.append((f"causes:{request.version}", ranked))
        stored = (await self._recorder.record_all(request.incident_id, facts))[-1].fact
        assert isinstance(stored, CausesRanked)
        return stored
