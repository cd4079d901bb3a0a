"""Waits for a vendor's own approval of an action: a branch of the response, not an error of it."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        Applied,
        ApplyInput,
        EndReviewInput,
        LookAtReviewInput,
        Reviewed,
    )
    from activities.reviewing import Reviewing
    from workflows.policies import WRITE_VENDOR
    from workflows.waiting import sleep_unless

FIRST_LOOK = timedelta(seconds=15)
LONGEST_BETWEEN_LOOKS = timedelta(minutes=5)

DECLINED = "the vendor's own approval was declined"
UNANSWERED = "nobody gave the vendor's own approval in time"


async def through_vendor_review(
    request: ApplyInput, wait_for: timedelta, interrupted: Callable[[], bool]
) -> Applied | str:
    """Ask the vendor, wait until somebody agreed there, and return what was then applied.

    A text instead says why nothing was done: declined, nobody answered within ``wait_for``, or the
    incident ended meanwhile; the request is then taken back. Raises ActivityError when the vendor
    cannot be asked at all.
    """
    asked = await workflow.execute_activity_method(Reviewing.ask_vendor, request, **WRITE_VENDOR)
    review_id = asked.review.review_id
    until, pause = workflow.now() + wait_for, FIRST_LOOK
    while workflow.now() < until and not interrupted():
        await sleep_unless(interrupted, min(pause, until - workflow.now()))
        pause = min(pause * 2, LONGEST_BETWEEN_LOOKS)
        seen = await _look(request, review_id)
        if seen is None or seen.review.status in ("pending", "approved"):
            continue
        if seen.applied is not None:
            return seen.applied
        return DECLINED if seen.review.status == "declined" else "the request was deleted"
    await workflow.execute_activity_method(
        Reviewing.end_review, EndReviewInput(request=request, review_id=review_id), **WRITE_VENDOR
    )
    return "the incident ended" if interrupted() else UNANSWERED


async def _look(request: ApplyInput, review_id: str) -> Reviewed | None:
    """Look once; a vendor that is away for longer than the policy bears is asked again later."""
    try:
        return await workflow.execute_activity_method(
            Reviewing.look_at_review,
            LookAtReviewInput(request=request, review_id=review_id),
            **WRITE_VENDOR,
        )
    except ActivityError as error:
        if getattr(error.cause, "non_retryable", False):
            raise
        return None
