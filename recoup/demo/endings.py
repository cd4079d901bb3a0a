"""How an evening of the demo may end: what is pressed, and what must have happened for it to count.

An ending holds only if the facts say so: a resolution alone would not tell a flag that was turned
off by Recoup from one that nobody touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

BY_HAND = "notify_only"


class Pressed(NamedTuple):
    """What a person does about a proposal. ``button`` is one of the message's, or of the page."""

    button: str
    playbook: str = ""
    mends_by_hand: bool = False


class Evening(NamedTuple):
    """What the demo looks at when it is over: an incident, its facts, and which flags are on."""

    incident: Mapping[str, Any]
    facts: list[dict[str, Any]]
    widget_is_on: bool
    decoy_is_on: bool

    def of(self, type_name: str) -> list[dict[str, Any]]:
        """Return the content of the facts of one type, in order."""
        return [dict(fact["fact"]) for fact in self.facts if fact["type"] == type_name]

    @property
    def verdicts(self) -> list[str]:
        """Every verdict of the recovery test, in order."""
        return [str(each["check"]["verdict"]) for each in self.of("verification.concluded")]

    @property
    def decided(self) -> list[tuple[str, str]]:
        """The decisions that were accepted: what was said, and on which surface."""
        taken = [each for each in self.of("decision.taken") if each["accepted"]]
        return [(each["decision"]["verdict"], each["decision"]["surface"]) for each in taken]


@dataclass(frozen=True)
class Ending:
    """One way for the evening to end."""

    resolution: str
    holds: Callable[[Evening], bool]
    presses: Callable[[Mapping[str, Any]], Pressed | None] = lambda _proposal: None
    within_s: float = 420.0
    """Patience, in seconds of the machine: the proof that a small harm is gone takes its trials."""

    def held(self, evening: Evening) -> bool:
        """Tell whether the evening really ended this way."""
        return evening.incident.get("resolution") == self.resolution and self.holds(evening)


def _always(button: str) -> Callable[[Mapping[str, Any]], Pressed | None]:
    return lambda _proposal: Pressed(button)


def _other(proposal: Mapping[str, Any]) -> Pressed | None:
    if proposal["playbook"] == BY_HAND:
        return Pressed("approve", mends_by_hand=True)
    return Pressed("other_playbook", playbook=BY_HAND)


def _repaired(evening: Evening) -> bool:
    return bool(evening.of("action.applied")) and not evening.widget_is_on


def _untouched(evening: Evening) -> bool:
    return not evening.of("action.started") and evening.widget_is_on


def _mended_by_hand(evening: Evening) -> bool:
    said = [verdict for verdict, _ in evening.decided]
    chosen = [each["proposal"]["playbook"] for each in evening.of("proposal.made")]
    done = evening.of("action.started")
    return "other_playbook" in said and chosen[-1] == BY_HAND and not done


def _second_helped(evening: Evening) -> bool:
    undone = evening.of("action.undone")
    return (
        evening.verdicts == ["not_recovered", "recovered"]
        and len(undone) == 1
        and bool(undone[0]["restored"])
        and evening.decoy_is_on
        and _repaired(evening)
    )


def _nobody_pressed(evening: Evening) -> bool:
    return _repaired(evening) and {surface for _, surface in evening.decided} == {"rule"}


ENDINGS: dict[str, Ending] = {
    "ask": Ending("recovered", _repaired, within_s=3600.0),
    "approve": Ending("recovered", _repaired, _always("approve")),
    "reject": Ending("rejected", _untouched, _always("reject")),
    "other_playbook": Ending("recovered", _mended_by_hand, _other),
    "wrong_first": Ending("recovered", _second_helped, _always("approve"), within_s=840.0),
    "false_positive": Ending(
        "false_positive",
        lambda evening: _untouched(evening) and bool(evening.of("feedback.given")),
        _always("false_positive"),
    ),
    "automatic": Ending("recovered", _nobody_pressed),
}
"""Every ending with an incident; ``no_incident`` is the one without."""
