"""What was learned so far, read from the log: outcomes, in order, as far as the log has come."""

import threading

from recoup.domain.outcomes import OUTCOME_FACTS, Outcome, OutcomeFold
from recoup.domain.ports import FactLog

PAGE = 1000


class Lessons:
    """Follows the log; asked again, it reads only what is new. Safe to share between threads."""

    def __init__(self, log: FactLog) -> None:
        self._log = log
        self._types = tuple(kind.type_name for kind in OUTCOME_FACTS)
        self._fold = OutcomeFold()
        self._position = 0
        self._outcomes: list[Outcome] = []
        self._mutex = threading.Lock()

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return every outcome in the log by now, the oldest first."""
        with self._mutex:
            while entries := self._log.read_facts(self._position, PAGE, self._types):
                self._outcomes += self._fold.take(entries)
                self._position = entries[-1].position
                if len(entries) < PAGE:
                    break
            return tuple(self._outcomes)
