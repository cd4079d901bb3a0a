"""Several ways to wake people at once; one that fails does not keep the others from it."""

from collections.abc import Sequence

import structlog

from recoup.domain.errors import VendorError
from recoup.domain.incident import Incident
from recoup.domain.ports import Pager

_log = structlog.get_logger()


class EveryPager:
    """Wakes people by every way that is configured; it worked when one of them did."""

    def __init__(self, pagers: Sequence[Pager]) -> None:
        self._pagers = tuple(pagers)

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Open a page everywhere; return where it was opened. Raises the last error of all."""
        reached: list[str] = []
        failure: VendorError | None = None
        for pager in self._pagers:
            try:
                reached.append(await pager.trigger(incident, reason))
            except VendorError as error:
                _log.warning("pager.failed", incident=incident.id, reason=str(error))
                failure = error
        if failure is not None and not reached:
            raise failure
        return ", ".join(where for where in reached if where)

    async def resolve(self, incident: Incident) -> None:
        """Close the page everywhere; what fails is noted, and holds nothing up."""
        for pager in self._pagers:
            try:
                await pager.resolve(incident)
            except VendorError as error:
                _log.warning("pager.not_resolved", incident=incident.id, reason=str(error))
