"""The digest of the last week: started by a schedule, each way tried until it succeeds."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.digesting import Digesting, SendDigestInput
    from recoup.domain.base import Frozen
    from workflows.policies import DIGEST


class DigestInput(Frozen):
    """The ways to send it; ``week`` is empty for the week before the start."""

    ways: tuple[str, ...]
    week: str = ""


class DigestOutcome(Frozen):
    """The week and where its digest went."""

    week: str
    sent_to: tuple[str, ...]


@workflow.defn
class DigestWorkflow:
    """Sends one digest; a way that fails does not keep the others from theirs."""

    @workflow.run
    async def run(self, request: DigestInput) -> DigestOutcome:
        """Send it all ways; fails in the end when one of them could not be used."""
        week, sent, failed = request.week or _week_before(), [], []
        for way in request.ways:
            try:
                done = await workflow.execute_activity_method(
                    Digesting.send_digest, SendDigestInput(way=way, week=week), **DIGEST
                )
                sent.append(done.to)
            except ActivityError as error:
                workflow.logger.warning("the digest was not sent by %s: %s", way, error.cause)
                failed.append(way)
        if failed:
            raise ApplicationError(f"the digest of {week} was not sent by {', '.join(failed)}")
        return DigestOutcome(week=week, sent_to=tuple(sent))


def _week_before() -> str:
    year, number, _ = (workflow.now() - timedelta(days=7)).isocalendar()
    return f"{year}-W{number:02d}"
