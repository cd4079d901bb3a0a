"""Tells the evening in words: what the incident's thread says, and what leads up to it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from activities.timeline import words_for
from recoup.domain.facts import FACT_TYPES, CausesRanked, FeedbackGiven, InvestigationStepTaken


class Teller:
    """Says what is new, as it happens; the steps of an investigation only for the first one."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told = 0
        self._is_ranked = False

    def tell(self, facts: list[dict[str, Any]]) -> None:
        """Say what was added to these facts since the last call."""
        for fact in facts[self._told :]:
            is_step = fact["type"] == InvestigationStepTaken.type_name
            text = words_of(fact)
            if text and not (is_step and self._is_ranked):
                self._say(f"{fact['occurred_at'][11:19]} {text}")
            self._is_ranked |= fact["type"] == CausesRanked.type_name
        self._told = len(facts)


def words_of(fact: Mapping[str, Any]) -> str:
    """Return what a fact of the API says; empty for what only machines need."""
    said = FACT_TYPES[fact["type"]].model_validate(fact["fact"])
    if isinstance(said, InvestigationStepTaken):
        return f"  {said.step.replace('_', ' ')}: {said.summary}"
    if isinstance(said, FeedbackGiven):
        return f"Recoup learns: {said.label.replace('_', ' ')}."
    return words_for(said) or ""


def timeline_of(
    facts: list[dict[str, Any]], begun_at: datetime, first: str
) -> list[dict[str, Any]]:
    """Return what there is to tell of an incident, with its distance from the beginning."""
    told = [
        _row(datetime.fromisoformat(fact["occurred_at"]), begun_at, text)
        for fact in facts
        if fact["type"] != InvestigationStepTaken.type_name and (text := words_of(fact))
    ]
    return [_row(begun_at, begun_at, first), *told]


def _row(at: datetime, begun_at: datetime, what: str) -> dict[str, Any]:
    minutes = round((at - begun_at).total_seconds() / 60, 1)
    return {"at": f"{at:%H:%M:%S}", "minutes": minutes, "what": what}
