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

    def think_again_at(self) -> datetime | None:
        """Return when the causes may be ranked again, if there is a reason to."""
        book = self._book
        if not book.reconsider or book.ranked_at is None:
            return None
        pause = timedelta(seconds=self._policy.reconsider_every_s / self._policy.pace)
        return book.ranked_at + pause

    def should_think_again(self) -> bool:
        """Tell whether it is time to rank the causes again."""
        at = self.think_again_at()
        return at is not None and workflow.now() >= at
