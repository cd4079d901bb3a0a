"""Suspects: the changes that may have done it, those of one rollout taken together."""

from collections.abc import Iterable
from dataclasses import dataclass

from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind

STEPPED = (ChangeKind.DEPLOY, ChangeKind.FLAG, ChangeKind.CONFIG, ChangeKind.EXPERIMENT)
"""Kinds that are rolled out in steps: the same thing recorded again, for more people."""

WITHIN_MS = 3 * 24 * 3_600_000


@dataclass(frozen=True)
class Suspect:
    """One thing that was altered, by one change or in several steps, in order of time."""

    changes: tuple[Change, ...]

    @property
    def change(self) -> Change:
        """The first step: what to blame when nothing speaks for a later one."""
        return self.changes[0]

    @property
    def times_ms(self) -> tuple[int, ...]:
        """When each step was made."""
        return tuple(to_ms(change.time) for change in self.changes)


def suspects_of(changes: Iterable[Change]) -> list[Suspect]:
    """Return the suspects in order of time: steps of one rollout share kind, ref and dimensions."""
    groups: dict[object, list[Change]] = {}
    for change in sorted(changes, key=lambda each: (each.time, each.id)):
        groups.setdefault(_family(change), []).append(change)
    found: list[Suspect] = []
    for group in groups.values():
        steps = [group[0]]
        for change in group[1:]:
            if to_ms(change.time) - to_ms(steps[-1].time) > WITHIN_MS:
                found.append(Suspect(tuple(steps)))
                steps = []
            steps.append(change)
        found.append(Suspect(tuple(steps)))
    return sorted(found, key=lambda each: (each.times_ms[0], each.change.id))


def _family(change: Change) -> object:
    if not change.ref or change.kind not in STEPPED:
        return change.id
    return change.kind, change.ref, tuple(sorted(change.scope))
