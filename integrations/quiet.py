"""What takes the place of a chat or a pager that is not configured."""

import structlog

from recoup.domain.incident import Incident

_log = structlog.get_logger()


class QuietNotifier:
    """Writes to the log instead of a chat; the pages show and ask all the same."""

    async def post(self, incident: Incident) -> dict[str, str]:
        """Log that an incident is to be told."""
        _log.info("incident.told", incident=incident.id, status=str(incident.status))
        return {"surface": "log"}

    async def update(self, incident: Incident, reference: dict[str, str]) -> None:
        """Log that an incident changed."""
        del reference
        _log.info("incident.changed", incident=incident.id, status=str(incident.status))

    async def reply(self, reference: dict[str, str], text: str, *, loud: bool = False) -> None:
        """Log a line of the thread."""
        del loud
        _log.info("incident.note", text=text, **reference)


class QuietPager:
    """Writes to the log instead of waking anybody."""

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Log that somebody should be woken."""
        _log.warning("incident.page", incident=incident.id, reason=reason)
        return ""

    async def resolve(self, incident: Incident) -> None:
        """Log that the page is over."""
        _log.info("incident.page_over", incident=incident.id)
