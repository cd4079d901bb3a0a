"""The innocent changes of a busy evening, so that naming the right one means something."""

import random
from datetime import datetime, timedelta

from recoup.domain.changes import Change, ChangeKind

_INNOCENT: tuple[tuple[float, ChangeKind, str, dict[str, str | list[str]]], ...] = (
    (-55, ChangeKind.DEPLOY, "search service 8.1", {}),
    (-41, ChangeKind.PRICE, "dresses 10 % down", {"category": "dresses"}),
    (-33, ChangeKind.CONFIG, "image CDN cache time", {}),
    (-24, ChangeKind.PROMO, "free shipping in Sweden", {"country": "SE"}),
    (-15, ChangeKind.EXPERIMENT, "size guide experiment", {"category": "shoes"}),
    (-9, ChangeKind.CAMPAIGN, "newsletter for returning customers", {"campaign": "newsletter"}),
    (-6, ChangeKind.DEPLOY, "recommendations 3.4", {"device": "desktop"}),
    (3, ChangeKind.INVENTORY, "bags restocked", {"category": "bags"}),
    (6, ChangeKind.THIRD_PARTY, "Adyen maintenance window", {"provider": "adyen"}),
)


def sale_of(began: datetime) -> Change:
    """Return the change that began the sale: known, recorded, and not to blame."""
    return Change(
        id="campaign-ig-sale-evening",
        kind=ChangeKind.CAMPAIGN,
        time=began,
        title="Sale evening on Instagram",
        ref="ig_sale",
        scope={"campaign": "ig_sale"},
        undo={"action": "campaign_pause", "campaign": "ig_sale"},
    )


def decoy_of(at: datetime, flag: str, project: str, environment: str) -> Change:
    """Return a change of configuration that comes with the break, for everyone, under the name that
    the script errors tell: as good a suspect as the guilty flag, and a little better by its kind.
    Whoever believes it first finds out by the test of the recovery.
    """
    return Change(
        id=f"config-{flag}",
        kind=ChangeKind.CONFIG,
        time=at,
        title=f"Configuration of {flag} loaded early",
        ref=flag,
        undo={
            "action": "flag_rollback",
            "flag": flag,
            "project": project,
            "environment": environment,
            "on": False,
        },
    )


def innocent(seed: int, around: datetime, now: datetime, *, later: bool) -> list[Change]:
    """Return the innocent changes before a moment, or those a little after it."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    found = []
    for number, (minutes, kind, title, scope) in enumerate(_INNOCENT):
        at = around + timedelta(minutes=minutes + draw.uniform(-1.5, 1.5))
        if (at > around) == later:
            change_id = f"innocent-{seed}-{number}"
            found.append(
                Change(id=change_id, kind=kind, time=min(at, now), title=title, scope=scope)
            )
    return found
