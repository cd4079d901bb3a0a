"""What the response believes: the hypotheses, which of them were tried, and when to think again."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import InvestigateInput
    from activities.investigating import Investigating
    from recoup.domain.hypotheses import UNKNOWN_CAUSE
    from workflows.messages import Book, IncidentInput
    from workflows.policies import ANALYSE

MORE_TRIALS = "more-trials-rank-again"
"""Marks histories in which more trials alone have the causes ranked again."""

SURE = 0.9
"""With a first hypothesis this probable, more trials alone are no reason to rank again."""

ALIKE = 0.67
"""Of two hypotheses the data cannot tell apart, the less probable has this share of the other."""


class Beliefs:
    """Ranks the causes, again when the picture changed, and says which to act on next."""

    def __init__(self, request: IncidentInput, book: Book) -> None:
        self._incident_id = request.incident_id
        self._policy = request.policy
        self._book = book

    async def rank(self) -> None:
        """Ask for a ranking; when none can be made the last one stays."""
        book = self._book
        book.reconsider = False
        book.rankings += 1
        book.ranked_at = workflow.now()
        try:
            ranking = await workflow.execute_activity_method(
                Investigating.investigate,
                InvestigateInput(incident_id=self._incident_id, version=book.rankings),
                **ANALYSE,
            )
            book.candidates = ranking.candidates
        except ActivityError as error:
            workflow.logger.warning("the causes could not be ranked: %s", error.cause)

    def next_candidate(self) -> str | None:
        """Return the most probable hypothesis not tried yet, if there is one left."""
        book = self._book
        untried = [each for each in book.candidates if each.change_id not in book.tried]
        if untried:
            return max(untried, key=lambda each: each.probability).change_id
        return None if UNKNOWN_CAUSE in book.tried else UNKNOWN_CAUSE

    def may_stand(self, proposed: str, chosen: str | None) -> bool:
        """Tell whether a proposal stays: it is for the likeliest cause, or one as good as it."""
        if proposed == chosen or chosen is None or not workflow.patched(MORE_TRIALS):
            return proposed == chosen
        odds = {each.change_id: each.probability for each in self._book.candidates}
        return odds.get(proposed, 0.0) >= ALIKE * odds.get(chosen, 1.0)

    def think_again_at(self) -> datetime | None:
        """Return when the causes may be ranked again, if there is a reason to.

        News is a reason; while the answer is open, so are the trials that came since, though the
        more seldom the more often they were weighed.
        """
        book = self._book
        if book.ranked_at is None:
            return None
        pause = timedelta(seconds=self._policy.reconsider_every_s / self._policy.pace)
        if book.reconsider:
            return book.ranked_at + pause
        best = max((each.probability for each in book.candidates), default=1.0)
        if best < SURE and workflow.patched(MORE_TRIALS):
            return book.ranked_at + pause * book.rankings
        return None

    def should_think_again(self) -> bool:
        """Tell whether it is time to rank the causes again."""
        at = self.think_again_at()
        return at is not None and workflow.now() >= at
