"""The analyst: the part of the detectors that the response asks for causes and for recovery."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from activities.lessons import Lessons
from recoup.domain.base import Frozen, to_ms
from recoup.domain.changes import Change
from recoup.domain.hypotheses import Attribution
from recoup.domain.ports import EvidenceRecord
from recoup.domain.verification import RecoveryCheck

if TYPE_CHECKING:
    from detectors.attribution.causes import CauseModel
    from detectors.attribution.learning import CauseTeacher


class AnalysisStep(Frozen):
    """One step of an investigation: what was looked at, what it said, and the ranking so far."""

    name: str
    summary: str
    detail: dict[str, Any] = Field(default_factory=dict)
    attribution: Attribution | None = None


class Analyst(Protocol):
    """Works out causes and recoveries from the evidence that the detector left. Pure and fast."""

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        """Investigate, cheap evidence first; the last step with an attribution is the answer."""
        ...

    def check_recovery(
        self, evidence: EvidenceRecord, since: datetime, *, margin: float, within_s: int
    ) -> RecoveryCheck:
        """Look once at the cohort since an action, by a test that may be looked at at any time."""
        ...


class DetectorAnalyst:
    """The analyst that ships: attribution and recovery test of ``detectors``."""

    def __init__(self, lessons: Lessons | None = None) -> None:
        self._lessons = lessons
        self._teacher: CauseTeacher | None = None
        self._mutex = threading.Lock()

    def _model(self) -> "CauseModel":
        """Return the attribution's model, taught every outcome that is in the log by now."""
        from detectors.attribution.learning import CauseTeacher

        with self._mutex:
            if self._teacher is None:
                self._teacher = CauseTeacher()
            if self._lessons is not None:
                self._teacher.teach(self._lessons.outcomes()[self._teacher.seen :])
            return self._teacher.model

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        """Run the investigation of ``detectors.attribution``."""
        from detectors.attribution.investigation import steps
        from detectors.evidence import from_bytes

        for step in steps(from_bytes(evidence.payload), changes, self._model()):
            yield AnalysisStep(
                name=step.name,
                summary=step.summary,
                detail=dict(step.detail),
                attribution=step.attribution_so_far,
            )

    def check_recovery(
        self, evidence: EvidenceRecord, since: datetime, *, margin: float, within_s: int
    ) -> RecoveryCheck:
        """Run the sequential test of ``detectors.recovery``."""
        from detectors.evidence import from_bytes
        from detectors.recovery import check_recovery

        check: RecoveryCheck = check_recovery(
            from_bytes(evidence.payload), to_ms(since), margin=margin, within_s=within_s
        )
        return check
