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


_BEAT = timedelta(seconds=6)
"""A worker that died is noticed after this long, and its activity is given to another."""

RECORD: Policy = {
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": _BEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=15),
    ),
}
"""Facts: tried for as long as it takes, because nothing may be lost while the database is away."""

ANALYSE: Policy = {
    "start_to_close_timeout": timedelta(minutes=2),
    "schedule_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=12,
    ),
}
"""Attribution and the recovery test; the detector may need a moment to leave its evidence."""

READ_VENDOR: Policy = {
    "start_to_close_timeout": timedelta(seconds=60),
    "schedule_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": _BEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=10,
    ),
}
"""Previews: reading the state of a target."""

WRITE_VENDOR: Policy = {
    "start_to_close_timeout": timedelta(seconds=60),
    "schedule_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": _BEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=60),
        maximum_attempts=12,
    ),
}
"""Actions and their undo: safe to try again, because each looks before it writes."""

NOTIFY: Policy = {
    "start_to_close_timeout": timedelta(seconds=30),
    "schedule_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": _BEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=8,
    ),
}
"""Chat and pager: tried for a while, never waited for by the response itself."""

DIGEST: Policy = {
    "start_to_close_timeout": timedelta(seconds=60),
    "schedule_to_close_timeout": timedelta(hours=12),
    "heartbeat_timeout": _BEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=5),
        maximum_interval=timedelta(minutes=15),
    ),
}
"""A digest: no hurry, but it should come the same day."""
