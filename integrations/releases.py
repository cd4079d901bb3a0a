"""All deploying platforms behind one ReleaseControl, and what they have in common.

Most keep a history of deployments, the newest first; from it follows what runs, what ran before it
and worked, and whether somebody deployed since.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from recoup.domain.errors import ConfigurationError, StateMoved, VendorRefused
from recoup.domain.ports import ReleaseControl, ReleasePlace, ReleaseState

Phase = Literal["live", "underway", "failed"]


class Deployment(NamedTuple):
    """One entry of a platform's history."""

    id: str
    version: str
    phase: Phase
    url: str = ""


def state_of(place: ReleasePlace, history: Sequence[Deployment]) -> ReleaseState:
    """Return what runs, from a history with the newest first.

    Raises VendorRefused (``not_found``) when nothing was ever deployed there.
    """
    if not history:
        raise VendorRefused(f"nothing was ever deployed to {place.label}", kind="not_found")
    newest = history[0]
    running = next((each for each in history if each.phase != "failed"), newest)
    before = (
        each.version
        for each in history
        if each.phase == "live" and each.version != running.version and each is not newest
    )
    return ReleaseState(
        place=place,
        version=running.version,
        previous=next(before, ""),
        mark=newest.id,
        status=newest.phase,
        url=newest.url,
    )


def check_mark(state: ReleaseState, present: ReleaseState) -> None:
    """Raise StateMoved when somebody deployed since ``state`` was read."""
    if present.mark != state.mark:
        raise StateMoved(
            f"{state.place.label} was deployed to meanwhile: {present.version} "
            f"({present.mark}), not {state.version} ({state.mark})"
        )


class Releases:
    """Reads and deploys on whichever platform a release is."""

    def __init__(self, platforms: Mapping[str, ReleaseControl]) -> None:
        self._platforms = dict(platforms)

    async def read(self, place: ReleasePlace) -> ReleaseState:
        """Return what runs there. Raises ConfigurationError for an unknown platform."""
        return await self._on(place).read(place)

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        """Return the version that a tag or revision stands for."""
        return await self._on(place).resolve(place, name)

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        """Start bringing a version to the place, once."""
        return await self._on(state.place).deploy(
            state, version=version, comment=comment, idempotency_key=idempotency_key, repeat=repeat
        )

    def _on(self, place: ReleasePlace) -> ReleaseControl:
        found = self._platforms.get(place.platform)
        if found is None:
            known = ", ".join(sorted(self._platforms)) or "none ([github], [gitlab] or [argo])"
            close = difflib.get_close_matches(place.platform, self._platforms, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(
                f"no platform {place.platform!r} is configured to deploy with; there is "
                f"{known}{hint}"
            )
        return found
