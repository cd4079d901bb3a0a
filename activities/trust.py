"""How far each playbook is trusted by now, read from the log as far as it has come."""

import threading
from collections.abc import Mapping
from datetime import datetime

from playbooks.model import Playbook
from recoup.domain.calendar import Calendar
from recoup.domain.facts import Severity
from recoup.domain.incident import Incident
from recoup.domain.ports import FactLog
from recoup.domain.proposals import Rung
from recoup.domain.trust import TRUST_FACTS, Marked, Standing, TrustFold, standings_of

PAGE = 1000


class Trust:
    """Follows the log; asked again, it reads only what is new. Safe to share between threads."""

    def __init__(self, log: FactLog, library: Mapping[str, Playbook]) -> None:
        self._log = log
        self._library = library
        self._types = tuple(kind.type_name for kind in TRUST_FACTS)
        self._fold = TrustFold()
        self._position = 0
        self._marks: list[Marked] = []
        self._mutex = threading.Lock()

    def standings(self) -> dict[str, Standing]:
        """Return where each playbook of the library stands."""
        with self._mutex:
            while entries := self._log.read_facts(self._position, PAGE, self._types):
                self._marks += self._fold.take(entries)
                self._position = entries[-1].position
                if len(entries) < PAGE:
                    break
            ladders = {name: each.approval.ladder for name, each in self._library.items()}
            return standings_of(ladders, self._marks)


URGENT = (Severity.CRITICAL, Severity.HIGH)
"""For these people are woken when nobody is at work."""


class Trusted:
    """The playbooks with what each may do now: by its standing, the severity and the calendar."""

    def __init__(self, trust: Trust, library: Mapping[str, Playbook], calendar: Calendar) -> None:
        self.library = library
        self._trust = trust
        self._calendar = calendar

    def rung(self, playbook: Playbook, incident: Incident, now: datetime) -> Rung:
        """Return how far this playbook may go with this incident at this moment."""
        rung = self._trust.standings()[playbook.name].rung
        if rung is not Rung.AUTOMATIC:
            return rung
        allowed = incident.severity in playbook.approval.severities
        return rung if allowed and self._calendar.allows_automatic(now) else Rung.APPROVE

    def roles(self, playbook: Playbook, now: datetime) -> tuple[str, ...]:
        """Return who is asked at this moment."""
        spec = playbook.approval
        if spec.out_of_hours_roles and not self._calendar.is_open(now):
            return spec.out_of_hours_roles
        return spec.roles

    def why_wake(self, incident: Incident, rung: Rung, now: datetime) -> str:
        """Return why people have to be woken for a proposal, or an empty text."""
        if rung is Rung.AUTOMATIC or incident.severity not in URGENT or self._calendar.is_open(now):
            return ""
        return f"{incident.severity.value}, and nobody is at work: a decision is needed"
