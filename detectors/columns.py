"""From stored lines to columns: events with their dimensions interned as leaf numbers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from recoup.domain.series import EventBlock
from recoup.domain.storefront import API_TIMED, ORDER_COMPLETED, PAYMENT_FAILED, SCRIPT_ERROR

FUTURE_MS = 120_000
OTHER = "other"
_EMPTY = msgspec.Raw(b"{}")


class _Line(msgspec.Struct, gc=False):
    id: str
    type: str
    time: datetime
    session: str
    dims: msgspec.Raw = _EMPTY
    props: msgspec.Raw = _EMPTY


class _Props(msgspec.Struct, gc=False):
    value: float | str | None = None
    currency: str | None = None
    endpoint: str | None = None
    ms: float | None = None
    file: str | None = None
    message: str | None = None
    reason: str | None = None


class Event(NamedTuple):
    """One event as the sessioniser sees it; ``detail`` and ``number`` depend on the type."""

    time_ms: int
    order: int
    session: str
    type: str
    leaf: int
    detail: str
    number: float


_LINES = msgspec.json.Decoder(_Line)
_PROPS = msgspec.json.Decoder(_Props)
_DIMS = msgspec.json.Decoder(dict[str, str])
_TELLING = frozenset({SCRIPT_ERROR, PAYMENT_FAILED, ORDER_COMPLETED, API_TIMED})


@dataclass
class Leaves:
    """Every combination of dimension values that was seen, by number.

    A dimension with more than ``max_values`` values has the further ones folded into ``other``, so
    that a runaway dimension cannot eat the memory; ``folded`` counts them.
    """

    max_values: int
    dims: list[dict[str, str]] = field(default_factory=list)
    folded: dict[str, int] = field(default_factory=dict)
    _by_raw: dict[bytes, int] = field(default_factory=dict)
    _by_dims: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)
    _values: dict[str, set[str]] = field(default_factory=dict)

    def number(self, raw: bytes) -> int:
        """Return the number of a leaf given its JSON object."""
        known = self._by_raw.get(raw)
        if known is None:
            dims = {name: self._fold(name, value) for name, value in _DIMS.decode(raw).items()}
            key = tuple(sorted(dims.items()))
            known = self._by_dims.get(key)
            if known is None:
                known = len(self.dims)
                self._by_dims[key] = known
                self.dims.append(dict(key))
            self._by_raw[raw] = known
        return known

    def _fold(self, name: str, value: str) -> str:
        values = self._values.setdefault(name, set())
        if value in values:
            return value
        if len(values) < self.max_values:
            values.add(value)
            return value
        self.folded[name] = self.folded.get(name, 0) + 1
        return OTHER


def decode(block: EventBlock, leaves: Leaves) -> list[Event]:
    """Return the events of a block in log order; times ahead of their arrival are clipped to it."""
    latest = block.received_at_ms + FUTURE_MS
    order = block.first_position
    events = []
    for line in _LINES.decode_lines(block.data):
        time_ms = int(line.time.timestamp() * 1000)
        if time_ms > latest:
            time_ms = block.received_at_ms
        detail, number = "", 0.0
        if line.type in _TELLING:
            detail, number = _tell(line)
        leaf = leaves.number(bytes(line.dims))
        events.append(Event(time_ms, order, line.session, line.type, leaf, detail, number))
        order += 1
    return events


def _tell(line: _Line) -> tuple[str, float]:
    try:
        props = _PROPS.decode(line.props)
    except msgspec.ValidationError:
        return "", 0.0
    if line.type == API_TIMED:
        return props.endpoint or "", float(props.ms or 0.0)
    if line.type == SCRIPT_ERROR:
        return props.file or props.message or "", 0.0
    if line.type == PAYMENT_FAILED:
        return props.reason or "", 0.0
    try:
        return props.currency or "", float(props.value or 0.0)
    except ValueError:
        return props.currency or "", 0.0
