"""Proves the recovery: looks at the cohort since the action until the test comes to a verdict."""

import asyncio
from datetime import timedelta

from temporalio import activity

from activities.analysis import Analyst
from activities.contracts import CheckInput, StartVerificationInput, VerificationBegun
from activities.recording import Recorder
from recoup.domain.facts import VerificationConcluded, VerificationStarted
from recoup.domain.ports import EvidenceStore
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict


class Verifying:
    """Runs the analyst's recovery test over the evidence that the detector keeps up."""

    def __init__(self, recorder: Recorder, evidence: EvidenceStore, analyst: Analyst) -> None:
        self._recorder = recorder
        self._evidence = evidence
        self._analyst = analyst

    @activity.defn
    async def start_verification(self, request: StartVerificationInput) -> VerificationBegun:
        """Record from when on the cohort is looked at: once the action has settled."""
        since = self._recorder.clock.now() + timedelta(seconds=request.settle_s)
        started = VerificationStarted(incident_id=request.incident_id, since=since)
        entry = await self._recorder.record(
            request.incident_id, f"verification:{request.round}:started", started
        )
        assert isinstance(entry.fact, VerificationStarted)
        return VerificationBegun(since=entry.fact.since)

    @activity.defn
    async def check_recovery(self, request: CheckInput) -> RecoveryCheck:
        """Look once; record the verdict when there is one, or when this is the last look."""
        check = await asyncio.to_thread(self._look, request)
        undecided = check.verdict is RecoveryVerdict.UNDECIDED
        if undecided and not request.last:
            return check
        if undecided:
            verdict = RecoveryVerdict.INCONCLUSIVE if check.trials else RecoveryVerdict.NO_DATA
            reason = check.reason or "the time for the test was over"
            check = check.model_copy(update={"verdict": verdict, "reason": reason})
        concluded = VerificationConcluded(incident_id=request.incident_id, check=check)
        entry = await self._recorder.record(
            request.incident_id, f"verification:{request.round}:concluded", concluded
        )
        assert isinstance(entry.fact, VerificationConcluded)
        return entry.fact.check

    def _look(self, request: CheckInput) -> RecoveryCheck:
        record = self._evidence.get(request.incident_id)
        if record is None or record.until <= request.since:
            return RecoveryCheck(
                verdict=RecoveryVerdict.UNDECIDED,
                at=self._recorder.clock.now(),
                since=request.since,
                trials=0,
                observed=0.0,
                expected=0.0,
                gap=0.0,
                gap_low=-1.0,
                gap_high=1.0,
                reason="the detector has seen nothing since the action yet",
            )
        return self._analyst.check_recovery(
            record, request.since, margin=request.margin, within_s=request.within_s
        )
