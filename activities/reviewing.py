"""Gets a vendor's own approval for an action: asks, looks, and ends the waiting."""

from temporalio import activity

from activities.contracts import (
    Applied,
    ApplyInput,
    EndReviewInput,
    LookAtReviewInput,
    Nothing,
    Reviewed,
)
from activities.doing import Doing, Hands, applied_as
from activities.recording import Recorder
from playbooks.action import ActionContext
from recoup.domain.facts import VendorReviewAsked, VendorReviewEnded
from recoup.domain.ports import VendorReview


class Reviewing:
    """Does what is needed when a vendor will not act before somebody agreed in its own way."""

    def __init__(self, recorder: Recorder, hands: Hands, doing: Doing) -> None:
        self._recorder = recorder
        self._hands = hands
        self._doing = doing

    @activity.defn
    async def ask_vendor(self, request: ApplyInput) -> Reviewed:
        """Ask for the vendor's approval; a repeat finds the same request."""
        action, params = self._hands.prepare(request.call)
        review = await action.ask_vendor(params, request.preview, self._context(request))
        asked = VendorReviewAsked(
            incident_id=request.incident_id,
            proposal_id=request.proposal_id,
            key=request.call.key,
            action=request.call.action,
            target=request.preview.target,
            review_id=review.review_id,
            url=review.url,
        )
        step = f"{request.call.key}:review"
        await self._recorder.record(request.incident_id, step, asked)
        return Reviewed(review=review)

    @activity.defn
    async def look_at_review(self, look: LookAtReviewInput) -> Reviewed:
        """See where it stands; one that was given is applied, and that is recorded as done."""
        request = look.request
        action, params = self._hands.prepare(request.call)
        review = await action.look_at_review(params, look.review_id, self._context(request))
        if review.status == "pending":
            return Reviewed(review=review)
        applied: Applied | None = None
        if review.status == "applied":
            result = await self._doing.carry_out(request, attempted=True)
            applied = applied_as(request, result)
        await self._record_end(request, review)
        return Reviewed(review=review, applied=applied)

    @activity.defn
    async def end_review(self, end: EndReviewInput) -> Nothing:
        """Take the request back: it is no longer wanted, or nobody answered in time."""
        request = end.request
        action, params = self._hands.prepare(request.call)
        await action.withdraw_review(params, end.review_id, self._context(request))
        review = VendorReview(review_id=end.review_id, status="withdrawn")
        await self._record_end(request, review)
        return Nothing()

    async def _record_end(self, request: ApplyInput, review: VendorReview) -> None:
        if review.status in ("pending", "approved"):
            return
        ended = VendorReviewEnded.model_validate(
            {
                "incident_id": request.incident_id,
                "proposal_id": request.proposal_id,
                "key": request.call.key,
                "action": request.call.action,
                "review_id": review.review_id,
                "status": review.status,
            }
        )
        step = f"{request.call.key}:review_ended"
        await self._recorder.record(request.incident_id, step, ended)

    def _context(self, request: ApplyInput) -> ActionContext:
        return self._hands.context(
            request.incident_id, request.call.key, comment=request.comment, attempted=True
        )
