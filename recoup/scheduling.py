"""Keeps the schedule of the digest in Temporal as the settings say; Temporal runs it."""

from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from recoup.domain.errors import ConfigurationError
from recoup.settings import Settings
from workflows.digest import DigestInput, DigestWorkflow

SCHEDULE_ID = "recoup-digest"
CATCH_UP = timedelta(days=2)
"""A digest that was due while Temporal was away is still sent within this."""
_log = structlog.get_logger()


async def keep_schedule(client: Client, settings: Settings, ways: tuple[str, ...]) -> bool:
    """Make, change or end the schedule; return whether there is one.

    Raises ConfigurationError when the cron line or the time zone cannot be understood.
    """
    if not (settings.digest.schedule and ways):
        await _end(client)
        if settings.digest.schedule:
            _log.warning("digest.no_way", way_on="set up Slack, or RECOUP_DIGEST__EMAIL_TO")
        return False
    wanted = _schedule(settings, ways)
    try:
        await client.create_schedule(SCHEDULE_ID, wanted)
    except ScheduleAlreadyRunningError:

        def change(_present: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(schedule=wanted)

        await client.get_schedule_handle(SCHEDULE_ID).update(change)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise ConfigurationError(f"RECOUP_DIGEST__SCHEDULE: {error.message}") from error
        raise
    return True


def _schedule(settings: Settings, ways: tuple[str, ...]) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            DigestWorkflow.run,
            DigestInput(ways=ways),
            id=SCHEDULE_ID,
            task_queue=settings.temporal.task_queue,
        ),
        spec=ScheduleSpec(
            cron_expressions=[settings.digest.schedule],
            time_zone_name=settings.digest.time_zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


async def _end(client: Client) -> None:
    try:
        await client.get_schedule_handle(SCHEDULE_ID).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
