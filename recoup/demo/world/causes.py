"""The changes of a period: those behind the faults, and the many that did nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recoup.demo.world.fault import Cause, Fault
from recoup.demo.world.recording import start_of
from recoup.demo.world.shop import DAY, HOUR, MINUTE, Shop, draw
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change, ChangeKind

Scope = dict[str, str | list[str]]


@dataclass(frozen=True)
class Origin:
    """What kinds of change cause a fault, and how often nobody recorded one."""

    kinds: tuple[ChangeKind, ...]
    unrecorded: float = 0.1


_K = ChangeKind
_ORIGINS = {
    "widget_break": Origin((_K.FLAG, _K.DEPLOY, _K.CONFIG)),
    "platform_break": Origin((_K.DEPLOY, _K.FLAG)),
    "flag_country": Origin((_K.FLAG,), 0.05),
    "provider_outage": Origin((_K.THIRD_PARTY, _K.CONFIG), 0.55),
    "broken_promo": Origin((_K.PROMO, _K.CAMPAIGN, _K.PRICE)),
    "inventory_wrong": Origin((_K.INVENTORY, _K.PRICE)),
    "fraud_rule": Origin((_K.CONFIG, _K.THIRD_PARTY)),
    "slow_leak": Origin((_K.DEPLOY, _K.CONFIG), 0.2),
    "slow_cdn": Origin((_K.THIRD_PARTY, _K.CONFIG), 0.5),
    "orders_stop": Origin((_K.DEPLOY, _K.CONFIG), 0.25),
    "total_outage": Origin((_K.DEPLOY, _K.CONFIG), 0.4),
    "self_healing": Origin((_K.CONFIG, _K.DEPLOY, _K.FLAG), 0.5),
    "canary_deploy": Origin((_K.DEPLOY,), 0.0),
    "experiment_arm": Origin((_K.EXPERIMENT,), 0.0),
    "tracking_loss": Origin((_K.DEPLOY, _K.CONFIG), 0.3),
    "mix_shift": Origin((_K.CAMPAIGN,), 0.1),
    "push": Origin((_K.CAMPAIGN,), 0.1),
}
_NAMES = (
    "payment form", "checkout page", "address check", "cart service", "search", "size guide",
    "image cache", "recommendations", "login", "tax rules", "tag manager", "voucher box",
)  # fmt: skip


def of(fault: Fault, rng: np.random.Generator) -> Cause | None:
    """Draw the change behind a fault; None when nobody recorded one."""
    origin = _ORIGINS[fault.name]
    kind = origin.kinds[rng.integers(len(origin.kinds))]
    unrecorded = rng.random() < origin.unrecorded
    scope: Scope = dict(fault.cohort)
    if len(scope) > 1 and rng.random() < 0.3:
        scope.pop(str(rng.choice(sorted(scope))))
    elif len(scope) == 1 and fault.name in ("slow_leak", "platform_break") and rng.random() < 0.4:
        scope = {}
    lead = 0 if fault.shares else int(rng.uniform(0, 10) * MINUTE * rng.random())
    ref = f"{kind.value}-{rng.integers(1000, 9999)}"
    title = f"{rng.choice(_NAMES)}: {kind.value.replace('_', ' ')} {rng.integers(1, 400)}"
    steps = tuple(at for at, _ in fault.shares[1:]) if rng.random() < 0.6 else ()
    undo = _undo(kind, ref, fault.cohort)
    return None if unrecorded else Cause(kind, title, scope, lead, ref, undo, steps)


def _undo(kind: ChangeKind, ref: str, scope: dict[str, Any]) -> dict[str, Any]:
    """Return how a change of this kind is taken back."""
    if kind is ChangeKind.FLAG:
        return {"action": "flag_rollback", "flag": ref, "project": "shop", "environment": "live"}
    if kind is ChangeKind.CAMPAIGN:
        return {"action": "campaign_pause", "campaign": scope.get("campaign", ref)}
    if kind is ChangeKind.DEPLOY:
        return {"action": "release_rollback", "release": scope.get("release", ref)}
    return {}


_SCOPES: dict[ChangeKind, tuple[tuple[str, ...], ...]] = {
    _K.DEPLOY: ((), (), ("device",), ("os",), ("release",), ("browser",)),
    _K.FLAG: (("country",), (), ("os", "browser"), ("device",), ("campaign", "device")),
    _K.CONFIG: ((), ("country",), ("provider",), ("provider", "country"), ("region",)),
    _K.CAMPAIGN: (("campaign",), ("campaign", "country")),
    _K.PROMO: (("campaign",), ("category",), ("country",), ()),
    _K.PRICE: (("category",), ("category", "country"), ()),
    _K.INVENTORY: (("category",),),
    _K.EXPERIMENT: (("experiment",), ("device",), ("category",)),
    _K.THIRD_PARTY: (("provider",), ("region",), ("country",), ()),
}


def _innocent(shop: Shop, rng: np.random.Generator, at: int) -> Change:
    """Draw one change that does nothing."""
    kind = tuple(_SCOPES)[rng.integers(len(_SCOPES))]
    dims = _SCOPES[kind][rng.integers(len(_SCOPES[kind]))]
    scope: Scope = {}
    for dim in dims:
        names = shop.values[dim]
        usual = names[: max(1, len(names) - 2)] if dim in ("campaign", "experiment") else names
        many = rng.random() < 0.25 and len(usual) > 3
        chosen = [str(name) for name in rng.permutation(usual)[: rng.integers(2, 4) if many else 1]]
        scope[dim] = sorted(chosen) if many else chosen[0]
    ref = f"{kind.value}-{rng.integers(1000, 9999)}"
    title = f"{rng.choice(_NAMES)}: {kind.value.replace('_', ' ')} {rng.integers(1, 400)}"
    plain = {dim: value for dim, value in scope.items() if isinstance(value, str)}
    return _change(shop, kind, at, title, ref, scope, _undo(kind, ref, plain))


def _change(
    shop: Shop, kind: ChangeKind, at: int, title: str, ref: str, scope: Scope, undo: dict[str, Any]
) -> Change:
    moment = from_ms(to_ms(start_of(shop)) + at)
    return Change(
        id="unnamed", kind=kind, time=moment, title=title, ref=ref, scope=scope, undo=undo
    )


def _blamed(shop: Shop, cause: Cause, at: int, note: str = "") -> Change:
    title = cause.title + note
    return _change(shop, cause.kind, at, title, cause.ref, cause.scope, cause.undo)


def _ordinary(shop: Shop, rng: np.random.Generator) -> list[Change]:
    """Return the shop's own releases, experiments and campaigns, all of them harmless."""
    found = []
    for rollout in shop.releases:
        scope: Scope = {"release": shop.values["release"][rollout.value]}
        found.append((ChangeKind.DEPLOY, rollout.times[0], f"release {scope['release']}", scope))
    for rollout in shop.experiments:
        names = shop.values["experiment"][rollout.value : rollout.value + 2]
        scope = {"experiment": list(names)}
        found.append((ChangeKind.EXPERIMENT, rollout.times[0], f"start {names[1]}", scope))
    for number, (start, end) in enumerate(shop.campaign_windows):
        name = shop.values["campaign"][number]
        for at, word in ((start, "start"), (end, "end")):
            found.append((ChangeKind.CAMPAIGN, at, f"{word} of {name}", {"campaign": name}))
    if shop.sale_day is not None:
        found.append((ChangeKind.PROMO, shop.sale_day * DAY + 1000, "sale day", {}))
    return [
        _change(shop, kind, at, title, f"{kind.value}-{rng.integers(1000, 9999)}", scope, {})
        for kind, at, title, scope in found
        if 0 < at < shop.length
    ]


def _twin(change: Change, at: int, fault: Fault) -> bool:
    """Tell whether an innocent change could not be told from the true one by anybody."""
    near = abs(at - fault.onset) < 20 * MINUTE
    return near and bool(change.scope) and change.scope == dict(fault.cohort)


def timeline(shop: Shop, faults: Sequence[Fault]) -> tuple[list[Change], list[list[str]]]:
    """Return all changes in order of time, and for each fault the ids of those that made it."""
    rng = draw(shop.seed, 7)
    drafts = [(change, -1) for change in _ordinary(shop, rng)]
    times = rng.uniform(0, shop.length, rng.poisson(8 * shop.days)).astype(int).tolist()
    for fault in faults:
        around = fault.onset + rng.uniform(-6 * HOUR, 6 * HOUR, rng.integers(8, 26))
        times += np.clip(around, 0, shop.length - 1).astype(int).tolist()
    for at in times:
        change = _innocent(shop, rng, at)
        if not any(_twin(change, at, fault) for fault in faults):
            drafts.append((change, -1))
    for number, fault in enumerate(faults):
        if fault.cause:
            drafts.append((_blamed(shop, fault.cause, fault.onset - fault.cause.lead), number))
            for step, at in enumerate(fault.cause.later_steps, 2):
                drafts.append((_blamed(shop, fault.cause, at, f", step {step}"), number))
    drafts.sort(key=lambda draft: draft[0].time)
    named = [
        draft.model_copy(update={"id": f"chg-{shop.seed}-{number}"})
        for number, (draft, _) in enumerate(drafts)
    ]
    owners = [owner for _, owner in drafts]
    return named, [
        [change.id for change, owner in zip(named, owners, strict=True) if owner == number]
        for number in range(len(faults))
    ]
