"""Sends the digest of a week, one way at a time, so that each way is tried again alone."""

from temporalio import activity

from recoup.domain.base import Frozen
from recoup.domain.ports import WeeklyDigest


class SendDigestInput(Frozen):
    """Send the digest of ``week`` (``2026-W47``) one way."""

    way: str
    week: str


class DigestSent(Frozen):
    """Where it went."""

    to: str


class Digesting:
    """The activity of the digest."""

    def __init__(self, digests: WeeklyDigest) -> None:
        self._digests = digests

    @activity.defn
    async def send_digest(self, request: SendDigestInput) -> DigestSent:
        """Send it."""
        return DigestSent(to=await self._digests.send(request.way, request.week))
