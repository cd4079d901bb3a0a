"""What the detector watches, tick by tick, for charts and pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class TickRow(NamedTuple):
    """One metric of one cohort in one tick: trials, what happened, what the baseline expected.

    ``cohort`` is the label of ``Cohort.label``; ``tick_ms`` is the start of the tick, Unix ms.
    """

    tick_ms: int
    metric: str
    cohort: str
    trials: float
    observed: float
    expected: float
    variance: float


class SliceRow(NamedTuple):
    """Ten minutes of every cohort, packed; opaque outside detectors/."""

    start_ms: int
    payload: bytes


class StoredEvent(Protocol):
    """What is read of a stored event; ``dims`` and ``props`` as they stand in its line."""

    type: str
    time: datetime
    session: str
    dims: Any
    props: Any


@dataclass(frozen=True, slots=True)
class EventBlock:
    """Storefront events as they stand in the log: canonical NDJSON, one event a line.

    The event on line i (from 0) has the position ``first_position + i``.
    """

    first_position: int
    count: int
    received_at_ms: int
    data: bytes
    already_read: Sequence[StoredEvent] | None = field(default=None, compare=False, repr=False)
    """The events, where whoever made the block has read them."""


class LineProblem(NamedTuple):
    """Why one line of a batch was not taken; ``line`` counts from 1."""

    line: int
    field: str
    reason: str


class IngestReport(NamedTuple):
    """What became of a batch; nothing is reported before it is durable."""

    accepted: int
    duplicates: int
    rejected: tuple[LineProblem, ...]
    conflicts: tuple[LineProblem, ...]
    last_position: int
