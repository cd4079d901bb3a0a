"""Around every activity: a heartbeat while it runs, and errors that a workflow can tell apart."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from recoup.domain.errors import (
    ConfigurationError,
    InvalidInput,
    LogDamaged,
    RecoupError,
    StateMoved,
    TransientVendorError,
    VendorRefused,
)


def as_application_error(error: RecoupError) -> ApplicationError:
    """Return the error as the workflow sees it: a type to branch on, and whether to try again."""
    if isinstance(error, VendorRefused):
        return ApplicationError(str(error), type=error.kind, non_retryable=True)
    if isinstance(error, StateMoved):
        return ApplicationError(str(error), type="state_moved", non_retryable=True)
    if isinstance(error, TransientVendorError):
        wait = error.retry_after_s
        return ApplicationError(
            str(error),
            type="transient",
            # Waited in full: a pause longer than the policy allows ends the activity instead.
            next_retry_delay=timedelta(seconds=wait) if wait else None,
        )
    final = isinstance(error, ConfigurationError | InvalidInput | LogDamaged)
    return ApplicationError(str(error), type=type(error).__name__, non_retryable=final)


class GuardingInterceptor(Interceptor):
    """Adds the guard to every activity of a worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the guard around the activity."""
        return _Guard(next)


class _Guard(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        beating = asyncio.create_task(_beat())
        try:
            return await self.next.execute_activity(input)
        except RecoupError as error:
            raise as_application_error(error) from error
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def _beat() -> None:
    limit = activity.info().heartbeat_timeout
    while limit:
        activity.heartbeat()
        await asyncio.sleep(limit.total_seconds() / 2)
