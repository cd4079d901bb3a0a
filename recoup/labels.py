"""What people said that incidents were: what it would change, and taking it back.

Folded from the same facts as the detector folds, so that a preview says what will happen.
"""

import threading

from detectors.sensitivity import TELLING, Preview, Sensitivity, preview
from recoup.domain.clock import Clock
from recoup.domain.errors import InvalidInput, NotFound
from recoup.domain.facts import FeedbackGiven, FeedbackWithdrawn, IncidentOpened, NewFact
from recoup.domain.learning_facts import Label
from recoup.domain.proposals import Person
from store.opening import Store

PAGE = 1000


class Labels:
    """The labels in force; each look reads only what was added to the log since the last one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = Sensitivity()
        self._position = 0
        self._lock = threading.RLock()

    def in_force(self) -> Sensitivity:
        """Return what the log says by now."""
        with self._lock:
            while entries := self._store.read_facts(self._position, PAGE, TELLING):
                for entry in entries:
                    self._known.take(entry.fact)
                self._position = entries[-1].position
            return self._known

    def is_benign(self, incident_id: str) -> bool:
        """Tell whether people call this incident normal."""
        return self.in_force().benign.get(incident_id, False)

    def preview(self, incident_id: str) -> Preview:
        """Return what a false-positive label would have changed. Raises NotFound."""
        with self._lock:
            known = self.in_force()
            if incident_id not in known.seen:
                raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")
            return preview(known, incident_id)

    def sentence(self, incident_id: str) -> str:
        """Return the preview for people; empty for what is so old that it was forgotten."""
        try:
            return said_of(self.preview(incident_id))
        except NotFound:
            return ""

    def give(
        self, incident_id: str, label: Label, by: Person, reason: str, clock: Clock, actor: str = ""
    ) -> None:
        """Keep what somebody says an incident was; ``actor`` is who hands it over for them.

        The same person saying the same again changes nothing. Raises NotFound.
        """
        entries = self._store.read_stream(incident_id)
        if not any(isinstance(entry.fact, IncidentOpened) for entry in entries):
            raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")
        # Said again after it was taken back is said anew.
        withdrawn = sum(isinstance(entry.fact, FeedbackWithdrawn) for entry in entries)
        given = FeedbackGiven(incident_id=incident_id, label=label, by=by.id, reason=reason)
        new = NewFact(
            fact_id=f"feedback:{incident_id}:{label}:{by.id}:{withdrawn}",
            fact=given,
            occurred_at=clock.now(),
            actor=actor or by.id,
            correlation_id=incident_id,
        )
        self._store.append(incident_id, [new])

    def withdraw(self, incident_id: str, by: Person, reason: str, clock: Clock) -> None:
        """Take a label back. Raises NotFound, or InvalidInput where there is none."""
        known = self.in_force()
        if incident_id not in known.seen:
            raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")
        if not known.benign.get(incident_id, False):
            raise InvalidInput(f"nobody calls {incident_id} normal; there is nothing to take back")
        entries = self._store.read_stream(incident_id)
        new = NewFact(
            fact_id=f"{incident_id}:withdrawn:{entries[-1].version}",
            fact=FeedbackWithdrawn(incident_id=incident_id, by=by.id, reason=reason),
            occurred_at=clock.now(),
            actor=by.id,
            correlation_id=incident_id,
        )
        self._store.append(incident_id, [new])


def said_of(found: Preview) -> str:
    """Return a preview in one sentence for people."""
    past = f"Of {found.past} past incidents" if found.past != 1 else "Of the one past incident"
    if not found.removed and not found.hidden:
        return (
            f"{past} this label alone would have kept none from opening; "
            "about two that are alike silence a pattern."
        )
    text = f"{past} this label would have kept {len(found.removed)} from opening"
    if found.hidden:
        text += f", and would have hidden {len(found.hidden)} that proved real"
    return f"{text}."
