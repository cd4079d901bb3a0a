"""Which alarms belong together: one cause across cohorts and metrics is one incident."""

from collections.abc import Iterable

from detectors.incidents import OpenIncident
from recoup.domain.cohort import Cohort

TOGETHER_MS = 25 * 60_000


def related(
    incidents: Iterable[OpenIncident], cohort: Cohort, onset_ms: int, now_ms: int, horizon_ms: int
) -> OpenIncident | None:
    """Return the open incident that an alarm belongs to: same time, and people in common.

    Shortly after a recovery an alarm is an echo: trials that began before it are still maturing.
    """
    for incident in incidents:
        together = abs(onset_ms - incident.onset_ms) <= TOGETHER_MS
        echo = bool(incident.recovered_ms) and now_ms - incident.recovered_ms < horizon_ms
        shared = cohort.shares(incident.cohort)
        if (together or echo) and shared and (echo or not cohort.contradicts(incident.cohort)):
            return incident
    return None
