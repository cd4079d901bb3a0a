"""Holds actions back: the freeze switch, change windows, cool-downs, and how far they reach."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.recording import Recorder
from recoup.domain.errors import VendorRefused
from recoup.domain.facts import ActionApplied, ActionStarted, ActionUndone, FreezeSet, Recorded
from recoup.domain.limits import Limits
from recoup.domain.proposals import ActionPreview

HOUR = timedelta(hours=1)


class Limiting:
    """Says why nothing, or not this, may be done now; everything it knows is in the log."""

    def __init__(self, recorder: Recorder, limits: Limits) -> None:
        self._recorder = recorder
        self._limits = limits

    async def held(self) -> VendorRefused | None:
        """Return why no action at all may be done now, or None."""
        switches = await self._recorder.facts_of(FreezeSet.type_name)
        last = switches[-1].fact if switches else None
        if isinstance(last, FreezeSet) and last.frozen:
            return VendorRefused(
                f"every action is frozen by {last.by}: {last.reason or 'no reason given'}",
                kind="frozen",
            )
        if not self._limits.may_act_at(self._recorder.clock.now()):
            return VendorRefused(
                "it is outside the change windows (RECOUP_GUARD__CHANGE_WINDOWS)",
                kind="outside_window",
            )
        return None

    async def check(self, previews: Sequence[ActionPreview]) -> None:
        """Raise VendorRefused when one of these actions would overstep a limit."""
        for preview in previews:
            if self._limits.protects(preview.target):
                raise VendorRefused(
                    f"{preview.target} is protected (RECOUP_GUARD__PROTECTED)", kind="protected"
                )
        reach = sum(preview.reach for preview in previews)
        if reach > self._limits.most_reach:
            raise VendorRefused(
                f"it would change {reach} things at once, more than the "
                f"{self._limits.most_reach} of RECOUP_GUARD__MOST_REACH",
                kind="too_far",
            )
        if previews:
            await self._check_history(previews)

    async def _check_history(self, previews: Sequence[ActionPreview]) -> None:
        names = (ActionStarted.type_name, ActionApplied.type_name, ActionUndone.type_name)
        past = await self._recorder.facts_of(*names)
        now = self._recorder.clock.now()
        keys = {preview.key for preview in previews}
        started = [
            entry
            for entry in past
            if isinstance(entry.fact, ActionStarted)
            and entry.fact.preview.key not in keys
            and now - entry.occurred_at < HOUR
        ]
        if len(started) + len(previews) > self._limits.most_per_hour:
            raise VendorRefused(
                f"{len(started)} actions were begun within the last hour; "
                f"RECOUP_GUARD__MOST_PER_HOUR is {self._limits.most_per_hour}",
                kind="too_many",
            )
        cool_down = timedelta(seconds=self._limits.cool_down_s)
        touched = _last_touched(past)
        for preview in previews:
            key, at = touched.get(preview.target, ("", None))
            if at is not None and key not in keys and now - at < cool_down:
                minutes = -(-(at + cool_down - now).total_seconds() // 60)
                raise VendorRefused(
                    f"{preview.target} was acted upon at {at:%H:%M} UTC already; it is left alone "
                    f"for {minutes:.0f} more minutes",
                    kind="cooling_down",
                )


def _last_touched(past: Sequence[Recorded]) -> dict[str, tuple[str, datetime | None]]:
    """Return for each target which action touched it last, and when."""
    touched: dict[str, tuple[str, datetime | None]] = {}
    target_of: dict[str, str] = {}
    for entry in past:
        fact = entry.fact
        if isinstance(fact, ActionApplied) and fact.result.changed:
            target_of[fact.result.key] = fact.result.target
            touched[fact.result.target] = (fact.result.key, entry.occurred_at)
        elif isinstance(fact, ActionUndone) and fact.restored and fact.key in target_of:
            touched[target_of[fact.key]] = (fact.key, entry.occurred_at)
    return touched
