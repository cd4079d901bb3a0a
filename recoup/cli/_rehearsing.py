"""Lets the vendors say what the actions of a trial would meet: reads and rehearsals, no writes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from recoup.domain.errors import RecoupError
from recoup.domain.proposals import ActionPreview
from recoup.settings import Settings

if TYPE_CHECKING:
    from activities.doing import Hands
    from playbooks.trial import Trial


def rehearsed(settings: Settings, trials: Sequence["Trial"]) -> list["Trial"]:
    """Return the trials with what each action would find and change, or why it could not."""
    from activities.doing import Hands
    from playbooks.action import Controls
    from playbooks.registry import shipped_actions
    from recoup.app import build

    app = build(settings)
    try:
        controls = Controls(
            flags=app.flags,
            campaigns=app.campaigns,
            webhooks=app.webhooks,
            releases=app.releases,
        )
        hands = Hands(shipped_actions(), controls)
        return asyncio.run(_rehearse_all(hands, trials, app.http.close))
    finally:
        app.store.close()


async def _rehearse_all(
    hands: "Hands", trials: Sequence["Trial"], close: Callable[[], Awaitable[None]]
) -> list["Trial"]:
    try:
        return [await _rehearse(hands, trial) for trial in trials]
    finally:
        await close()


async def _rehearse(hands: "Hands", trial: "Trial") -> "Trial":
    previews: list[ActionPreview] = []
    try:
        for call in trial.calls:
            previews.append(await hands.preview("dry-run", call))  # noqa: PERF401 - kept on error
    except RecoupError as error:
        return trial.model_copy(update={"previews": tuple(previews), "refused": str(error)})
    return trial.model_copy(update={"previews": tuple(previews)})
