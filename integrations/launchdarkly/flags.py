"""LaunchDarkly's flags in Recoup's words: indexes and ids of variations become their values."""

from typing import Any

from recoup.domain.errors import VendorRefused
from recoup.domain.ports import FlagState


def read_flag(vendor: str, project: str, environment: str, flag: dict[str, Any]) -> FlagState:
    """Return a flag of an answer. Raises VendorRefused when a part is missing."""
    try:
        config = flag["environments"][environment]
        variations = [each for each in flag.get("variations") or [] if isinstance(each, dict)]
        ids = [str(each.get("_id", "")) for each in variations]
        return FlagState(
            project=project,
            environment=environment,
            key=flag["key"],
            on=config["on"],
            version=config["version"],
            name=str(flag.get("name") or ""),
            variations=tuple(each.get("value") for each in variations),
            serving=_serving(config.get("fallthrough") or {}, variations, ids),
            extra={"archived": bool(flag.get("archived", False)), "ids": ids},
        )
    except (KeyError, TypeError, IndexError) as error:
        raise VendorRefused(
            f"{vendor} answered without {error} for {environment}", kind="not_found"
        ) from error


def instructions(
    state: FlagState, on: bool | None, serving: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the change as a semantic patch. Raises VendorRefused for an unknown variation."""
    found: list[dict[str, Any]] = []
    if on is not None:
        found.append({"kind": "turnFlagOn" if on else "turnFlagOff"})
    if serving is not None:
        found.append({"kind": "updateFallthroughVariationOrRollout", **_target(state, serving)})
    return found


def _serving(
    fallthrough: dict[str, Any], variations: list[dict[str, Any]], ids: list[str]
) -> dict[str, Any]:
    if fallthrough.get("variation") is not None:
        return {"value": variations[fallthrough["variation"]].get("value")}
    shares = (fallthrough.get("rollout") or {}).get("variations") or []
    return {"rollout": {ids[each["variation"]]: each["weight"] for each in shares}}


def _target(state: FlagState, serving: dict[str, Any]) -> dict[str, Any]:
    if "rollout" in serving:
        return {"rolloutWeights": serving["rollout"]}
    value = serving.get("value")
    for one, name in zip(state.variations, state.extra.get("ids", ()), strict=False):
        if one == value and type(one) is type(value):
            return {"variationId": name}
    raise VendorRefused(
        f"flag {state.key} has no variation {value!r}; it has "
        f"{', '.join(repr(one) for one in state.variations)}",
        kind="not_found",
    )
