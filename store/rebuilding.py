"""Making read models anew from the facts, as if they had never been."""

from collections.abc import Callable

from recoup.domain.errors import InvalidInput
from store.database import Database
from store.facts import read_facts
from store.head import appending
from store.projections import READ_MODELS, empty, project

Progress = Callable[[int, int], None]
_STEP = 500


def rebuild(
    database: Database, names: list[str], progress: Progress = lambda _done, _all: None
) -> int:
    """Empty read models and fold the facts again, in one transaction; return how many facts.

    Readers see the old state until the new one is whole.
    """
    unknown = sorted(set(names) - set(READ_MODELS))
    if unknown:
        raise InvalidInput(f"no read model {unknown[0]!r}; there are {', '.join(READ_MODELS)}")
    count = after = 0
    with appending(database) as head:
        for name in names:
            empty(head.connection, name)
        while facts := read_facts(head.connection, after, _STEP):
            for entry in facts:
                project(head.connection, entry, names)
            count += len(facts)
            after = facts[-1].position
            progress(after, head.position)
    return count
