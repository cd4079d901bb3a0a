"""PagerDuty as a Pager: trigger and resolve share one key, so that a repeat wakes nobody twice."""

from typing import Any

from integrations.http import VendorHttp, json_of
from integrations.pagerduty.settings import PagerDutySettings
from recoup.domain.errors import VendorRefused
from recoup.domain.facts import Severity
from recoup.domain.incident import Incident
from recoup.domain.wording import words

VENDOR = "PagerDuty"
LONGEST_SUMMARY = 1024
_SEVERITY = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MODERATE: "warning",
    Severity.LOW: "info",
}


class PagerDutyPager:
    """Opens and closes pages through the Events API."""

    def __init__(self, settings: PagerDutySettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Open (or repeat, harmlessly) the page of an incident; return its key."""
        summary = f"{words(incident.metric)} of {incident.cohort.label}: {reason}"
        await self._send(
            incident,
            "trigger",
            payload={
                "summary": summary[:LONGEST_SUMMARY],
                "severity": _SEVERITY[incident.severity],
                "source": "recoup",
                "timestamp": incident.opened_at.isoformat(),
                "custom_details": {"cohort": incident.cohort.label, "metric": incident.metric},
            },
        )
        return _key(incident)

    async def resolve(self, incident: Incident) -> None:
        """Close the page of an incident."""
        await self._send(incident, "resolve")

    async def _send(self, incident: Incident, event_action: str, **more: Any) -> None:
        key = self._settings.routing_key
        secret = key.get_secret_value() if key else ""
        answer = await self._http.request(
            VENDOR,
            "POST",
            f"{self._settings.base_url.rstrip('/')}/v2/enqueue",
            json={
                "routing_key": secret,
                "event_action": event_action,
                "dedup_key": _key(incident),
                **more,
            },
            repeatable=True,
            secrets=(secret,),
        )
        status = json_of(VENDOR, answer).get("status")
        if status != "success":
            raise VendorRefused(f"{VENDOR} did not take the event: status {status!r}")


def _key(incident: Incident) -> str:
    return f"recoup:{incident.id}"
