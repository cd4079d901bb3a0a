"""Candidates of the detect role: each follows the log at its own place, behind the live detector.

They take their turn only while the live detector has nothing to read, so a candidate that is new,
and reads the log from its start, delays no alarm.
"""

from dataclasses import dataclass, field

import structlog

from detectors.configuration import DetectionConfig
from detectors.shadow import Candidate, projection_of, version_of
from recoup.app import App

EVENTS_A_TURN = 10_000
EVENTS_A_SNAPSHOT = 400_000

_log = structlog.get_logger()


@dataclass
class Shadow:
    """One candidate with its place in the log."""

    app: App
    candidate: Candidate
    position: int = 0
    _since_snapshot: int = field(init=False, default=0)

    @property
    def projection(self) -> str:
        """The name of its place and its snapshots; other settings start another one."""
        return projection_of(self.candidate.name, self.candidate.version)

    def resume(self) -> None:
        """Go on from the latest snapshot; without one the log is read from its start.

        Facts have ids of their own, so what is found again is not appended again.
        """
        found = self.app.store.latest_snapshot(self.projection)
        if found is not None:
            position, payload = found
            try:
                self.candidate.restore(payload)
                self.position = position
            except (ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
                _log.warning("shadow.snapshot_unusable", reason=str(error))
        _log.info("shadow.resumed", candidate=self.candidate.name, position=self.position)

    def turn(self) -> bool:
        """Read on a little; tell whether there was anything to read."""
        records = self.app.store.read(self.position, EVENTS_A_TURN)
        if not records:
            return False
        before = self.position
        for record in records:
            self.position = self.candidate.observe(record)
        self._since_snapshot += self.position - before
        self.commit(snapshot=self._since_snapshot >= EVENTS_A_SNAPSHOT)
        return True

    def commit(self, *, snapshot: bool) -> None:
        """Store what was found up to here, in one transaction with the place."""
        self.app.store.commit_projection(
            self.projection,
            self.position,
            facts=self.candidate.take(),
            snapshot=self.candidate.snapshot() if snapshot else None,
        )
        if snapshot:
            self._since_snapshot = 0


def shadows_of(app: App) -> list[Shadow]:
    """Return the candidates that the settings name, each at its place."""
    settings = app.settings
    found = []
    for name, detect in settings.detect.candidates().items():
        config = DetectionConfig.from_settings(detect, currency=settings.currency, charts=False)
        shadow = Shadow(app, Candidate(name, version_of(detect), config))
        shadow.resume()
        found.append(shadow)
    return found
