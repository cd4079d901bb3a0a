"""The analyst: the part of the detectors that the response asks for causes and for recovery."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from recoup.domain.base import Frozen, to_ms
from recoup.domain.changes import Change
from recoup.domain.hypotheses import Attribution
from recoup.domain.ports import EvidenceRecord
from recoup.domain.verification import RecoveryCheck


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

    def __init__(self) -> None:
        self._model: Any = None

    def steps(self, evidence: EvidenceRecord, changes: Sequence[Change]) -> Iterator[AnalysisStep]:
        """Run the investigation of ``detectors.attribution``."""
        from detectors.attribution.causes import CauseModel
        from detectors.attribution.investigation import steps
        from detectors.evidence import from_bytes

        if self._model is None:
            self._model = CauseModel.default()
        for step in steps(from_bytes(evidence.payload), changes, self._model):
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
