"""Every timeout and every retry of the response, by the kind of work that is done."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy


class Policy(TypedDict, total=False):
    """How one kind of activity is run."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


_BEAT_S = 6
"""A worker that died is noticed after this long, and its activity is given to another."""


def _tried(
    each_s: int,
    *,
    first_s: float,
    longest_s: float,
    within: timedelta | None = None,
    attempts: int = 0,
    beat_s: int = _BEAT_S,
) -> Policy:
    """Return a policy: how long each attempt may take, and the pauses between attempts.

    Tried for ever unless ``within`` or ``attempts`` ends it.
    """
    policy: Policy = {
        "start_to_close_timeout": timedelta(seconds=each_s),
        "heartbeat_timeout": timedelta(seconds=beat_s),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=first_s),
            maximum_interval=timedelta(seconds=longest_s),
            maximum_attempts=attempts,
        ),
    }
    if within is not None:
        policy["schedule_to_close_timeout"] = within
    return policy


RECORD = _tried(60, first_s=0.2, longest_s=15)
"""Facts: tried for as long as it takes, because nothing may be lost while the database is away."""

ANALYSE = _tried(
    120, first_s=0.5, longest_s=30, within=timedelta(minutes=10), attempts=12, beat_s=20
)
"""Attribution and the recovery test; the detector may need a moment to leave its evidence."""

READ_VENDOR = _tried(60, first_s=1, longest_s=30, within=timedelta(minutes=5), attempts=10)
"""Previews: reading the state of a target."""

WRITE_VENDOR = _tried(60, first_s=1, longest_s=60, within=timedelta(minutes=10), attempts=12)
"""Actions and their undo: safe to try again, because each looks before it writes."""

NOTIFY = _tried(30, first_s=1, longest_s=30, within=timedelta(minutes=5), attempts=8)
"""Chat and pager: tried for a while, never waited for by the response itself."""

DIGEST = _tried(60, first_s=5, longest_s=900, within=timedelta(hours=12))
"""A digest: no hurry, but it should come the same day."""
