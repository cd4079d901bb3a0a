"""The freeze switch: each turn of it is a fact, and the last one holds for every action."""

from recoup.domain.base import Moment
from recoup.domain.errors import MissingRight
from recoup.domain.facts import FreezeSet, NewFact, Recorded
from recoup.domain.ports import FactLog
from recoup.domain.proposals import Person

MAY_FREEZE = ("approver", "admin")
"""Who may forbid every action, and allow them again."""
STREAM = "freeze"
PAGE = 1000


def last_turn(log: FactLog) -> Recorded | None:
    """Return the last turn of the switch, on whatever surface; None when it was never touched."""
    last: Recorded | None = None
    while page := log.read_facts(last.position if last else 0, PAGE, (FreezeSet.type_name,)):
        last = page[-1]
    return last


def freeze_in_force(log: FactLog) -> FreezeSet | None:
    """Return the freeze in force, if there is one."""
    last = last_turn(log)
    fact = last.fact if last else None
    return fact if isinstance(fact, FreezeSet) and fact.frozen else None


def turn(log: FactLog, fact_id: str, fact: FreezeSet, at: Moment) -> None:
    """Turn the switch; the same ``fact_id`` again changes nothing."""
    new = NewFact(fact_id=fact_id, fact=fact, occurred_at=at, actor=fact.by)
    log.append(STREAM, [new])


def check_may_freeze(person: Person) -> None:
    """Raise MissingRight for somebody who may not turn the switch."""
    if not set(person.roles) & set(MAY_FREEZE):
        raise MissingRight("only an approver or an admin may do that; nothing was changed")
