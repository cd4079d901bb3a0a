"""All ad platforms behind one CampaignControl: routed by name, compared before every write.

A platform's client only reads, rehearses and writes; what must hold for all of them is here: a
campaign that somebody changed meanwhile is left alone, and a lost answer is read again.
"""

import difflib
from collections.abc import Mapping
from typing import Protocol

from recoup.domain.errors import (
    ConfigurationError,
    StateMoved,
    TransientVendorError,
    VendorRefused,
)
from recoup.domain.ports import CampaignState


class AdPlatform(Protocol):
    """One ad platform's campaigns."""

    async def read(self, campaign_id: str) -> CampaignState:
        """Return the campaign's state."""
        ...

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Let the platform validate the change, where it can; nothing is stored."""
        ...

    async def write(self, state: CampaignState, *, active: bool) -> None:
        """Pause or resume; returning is no proof, so that the caller reads again."""
        ...


class Campaigns:
    """Pauses and resumes campaigns on whichever platform they are."""

    def __init__(self, platforms: Mapping[str, AdPlatform]) -> None:
        self._platforms = dict(platforms)

    async def read(self, campaign_id: str, platform: str = "") -> CampaignState:
        """Return the campaign's state. Raises ConfigurationError for an unknown platform."""
        return await self._on(platform, campaign_id).read(campaign_id)

    async def rehearse(self, state: CampaignState, *, active: bool) -> None:
        """Let the platform validate the change, where it can; nothing is stored."""
        await self._on(state.platform, state.campaign_id).rehearse(state, active=active)

    async def set_active(
        self, state: CampaignState, *, active: bool, idempotency_key: str
    ) -> CampaignState:
        """Pause or resume the campaign if it still is as in ``state``; return the new state."""
        del idempotency_key  # No platform takes one; a status that is set already is not set again.
        platform = self._on(state.platform, state.campaign_id)
        present = await platform.read(state.campaign_id)
        if present.active == active:
            return present
        if present.raw_status != state.raw_status:
            raise StateMoved(
                f"campaign {state.campaign_id} is {present.raw_status}, not {state.raw_status}"
            )
        try:
            await platform.write(present, active=active)
        except TransientVendorError:
            after = await platform.read(state.campaign_id)
            if after.active != active:
                raise
            return after
        except VendorRefused as error:
            if error.kind == "conflict":
                raise StateMoved(
                    f"campaign {state.campaign_id} is being changed by somebody else"
                ) from error
            raise
        after = await platform.read(state.campaign_id)
        if after.active != active:
            raise TransientVendorError(
                f"{state.platform} accepted the change of campaign {state.campaign_id}, "
                "but does not show it yet"
            )
        return after

    def _on(self, platform: str, campaign_id: str) -> AdPlatform:
        if not self._platforms:
            raise ConfigurationError(
                f"campaign {campaign_id} cannot be read: no ad platform is configured "
                "([meta_ads], [google_ads] or [tiktok_ads])"
            )
        if not platform and len(self._platforms) == 1:
            return next(iter(self._platforms.values()))
        found = self._platforms.get(platform)
        if found is None:
            close = difflib.get_close_matches(platform, self._platforms, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(
                f"campaign {campaign_id}: no ad platform {platform!r} is configured; there is "
                f"{', '.join(sorted(self._platforms))}{hint}"
            )
        return found
