"""From stored lines to columns: types, sessions and leaves by number, times in milliseconds."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.hashing import FIRST_ROOM, find_slot, rehashed
from recoup.domain.series import EventBlock, StoredEvent
from recoup.domain.storefront import API_TIMED, ORDER_COMPLETED, PAYMENT_FAILED, SCRIPT_ERROR

FUTURE_MS = 120_000
OTHER = "other"
MAX_TYPES = 60
"""Event types that are told apart; further ones are counted as one."""

Ints = npt.NDArray[np.int64]
_EMPTY = msgspec.Raw(b"{}")


class _Line(msgspec.Struct, gc=False):
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


class Detail(NamedTuple):
    """What an event of a telling type says beyond its type: a text and a number."""

    text: str
    number: float


class Columns(NamedTuple):
    """Events, one array a field, each of length n; times in Unix milliseconds."""

    time_ms: Ints
    order: Ints
    session: Ints
    type: Ints
    text: Ints
    """The number of the dims as they were written, of ``Leaves.read``."""

    due_ms: Ints
    """The start of the tick that takes it in."""

    def part(self, rows: npt.NDArray[np.bool_] | Ints | slice) -> "Columns":
        """Return the events that a mask, an index or a slice picks."""
        return Columns(*(column[rows] for column in self))

    def then(self, other: "Columns") -> "Columns":
        """Return these events and then others."""
        if len(self.order) == 0:
            return other
        return Columns(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


NOTHING = Columns(*(np.empty(0, dtype=np.int64) for _ in range(6)))
_LINES = msgspec.json.Decoder(_Line)
_PROPS = msgspec.json.Decoder(_Props)
_DIMS = msgspec.json.Decoder(dict[str, str])
TELLING = frozenset({SCRIPT_ERROR, PAYMENT_FAILED, ORDER_COMPLETED, API_TIMED})


@dataclass
class Leaves:
    """Every combination of dimension values that was seen, by number.

    A *text* is a combination as an event wrote it, numbered as the log is read; a *leaf* is
    numbered when a tick first takes it in, so that its number does not depend on how the log was
    cut into blocks. A dimension with more than ``max_values`` values has the further ones folded
    into ``other``, so that a runaway dimension cannot eat the memory; ``folded`` counts how often,
    once for each text in a block.
    """

    max_values: int
    dims: list[dict[str, str]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    folded: dict[str, int] = field(default_factory=dict)
    by_text: dict[bytes, int] = field(default_factory=dict)
    of_text: Ints = field(default_factory=lambda: np.full(1024, -1, dtype=np.int64))
    """The leaf of each text; -1 where ``number`` was not asked for it yet."""
    _by_dims: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)
    joins: Ints = field(default_factory=lambda: np.zeros((2, FIRST_ROOM), dtype=np.int64))
    """The hash table of the pairs that ``joined`` was asked for."""
    _joined: int = 0
    _values: set[tuple[str, str]] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=dict)
    """How many values of each dimension are told apart."""

    def __len__(self) -> int:
        return len(self.dims)

    def read(self, raw: bytes) -> int:
        """Return the number of a text, a JSON object as it stands in a line."""
        known = self.by_text.get(raw)
        if known is None:
            told = _DIMS.decode(raw)
            dims = told
            if not self._values >= told.items():
                dims = {name: self._fold(name, value) for name, value in told.items()}
            # Folded ones share one entry: a new text with every event must not eat the memory.
            key = raw if dims == told else msgspec.json.encode(dims)
            known = self.by_text.setdefault(key, len(self.texts))
            if known == len(self.texts):
                self.texts.append(dims)
                if len(self.of_text) < len(self.texts):
                    self.of_text = np.append(self.of_text, np.full_like(self.of_text, -1))
        return known

    def number(self, text: int) -> int:
        """Return the leaf of a text, numbering it if it is new."""
        leaf = int(self.of_text[text])
        if leaf < 0:
            leaf = self.of_text[text] = self._intern(self.texts[text])
        return leaf

    def joined(self, before: int, after: int) -> int:
        """Return the leaf with the values of one and, where it has none, those of one before."""
        key = join_key(before, after)
        slot = find_slot(self.joins[0], key)
        if self.joins[0, slot] != key:
            leaf = self._intern({**self.dims[before], **self.dims[after]})
            self.joins[:, slot] = key, leaf
            self._joined += 1
            if 2 * self._joined > self.joins.shape[1]:
                self.joins = rehashed(self.joins)
            return leaf
        return int(self.joins[1, slot])

    def _intern(self, dims: dict[str, str]) -> int:
        key = tuple(sorted(dims.items()))
        known = self._by_dims.get(key)
        if known is None:
            known = self._by_dims[key] = len(self.dims)
            self.dims.append(dict(key))
        return known

    def _fold(self, name: str, value: str) -> str:
        if (name, value) in self._values:
            return value
        count = self._counts.get(name, 0)
        if count < self.max_values:
            self._values.add((name, value))
            self._counts[name] = count + 1
            return value
        self.folded[name] = self.folded.get(name, 0) + 1
        return OTHER


@compiled
def join_key(before: int, after: int) -> int:
    """Return the key of a pair of leaves in the table of ``joins``."""
    return (before + 1) << 32 | (after + 1)


@dataclass
class Decoder:
    """Turns blocks into columns; numbers what it meets for the first time."""

    leaves: Leaves
    types: dict[str, int]
    sessions: dict[str, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    """Numbers of sessions that were forgotten, to be given anew."""
    issued: int = 0
    """Session numbers given so far, those free again included."""

    def decode(self, block: EventBlock) -> tuple[Columns, dict[int, Detail]]:
        """Return the events of a block and, by order, the details of the telling ones.

        Times ahead of their arrival are clipped to it.
        """
        lines = block.already_read or _LINES.decode_lines(block.data)
        times = _milliseconds([line.time for line in lines])
        times[times > block.received_at_ms + FUTURE_MS] = block.received_at_ms
        columns = Columns(
            times,
            np.arange(block.first_position, block.first_position + len(lines), dtype=np.int64),
            self._sessions([line.session for line in lines]),
            self._types([line.type for line in lines]),
            self._texts([bytes(line.dims) for line in lines]),
            times,
        )
        details = {
            block.first_position + place: _tell(line)
            for place, line in enumerate(lines)
            if line.type in TELLING
        }
        return columns, details

    def forget(self, sessions: set[int]) -> None:
        """Free the numbers of sessions that are over."""
        for key in [key for key, number in self.sessions.items() if number in sessions]:
            self.free.append(self.sessions.pop(key))

    def _sessions(self, keys: list[str]) -> Ints:
        known = self.sessions
        for key in dict.fromkeys(key for key in keys if key not in known):
            if self.free:
                known[key] = self.free.pop()
            else:
                known[key] = self.issued
                self.issued += 1
        return np.fromiter(map(known.__getitem__, keys), np.int64, len(keys))

    def _types(self, kinds: list[str]) -> Ints:
        known = self.types
        for kind in dict.fromkeys(kinds):
            if kind not in known:
                known[kind] = min(len(known), MAX_TYPES)
        return np.fromiter(map(known.__getitem__, kinds), np.int64, len(kinds))

    def _texts(self, raws: list[bytes]) -> Ints:
        known = {raw: self.leaves.read(raw) for raw in dict.fromkeys(raws)}
        return np.fromiter(map(known.__getitem__, raws), np.int64, len(raws))


def _milliseconds(times: list[datetime]) -> Ints:
    seconds = np.array([time.timestamp() for time in times], dtype=np.float64)
    # Half a microsecond more, for what the fraction of a float leaves out.
    found: Ints = np.floor(seconds * 1000 + 5e-4).astype(np.int64)
    return found


def _tell(line: StoredEvent) -> Detail:
    try:
        props = _PROPS.decode(line.props)
    except msgspec.ValidationError:
        return Detail("", 0.0)
    if line.type == API_TIMED:
        return Detail(props.endpoint or "", float(props.ms or 0.0))
    if line.type == SCRIPT_ERROR:
        return Detail(props.file or props.message or "", 0.0)
    if line.type == PAYMENT_FAILED:
        return Detail(props.reason or "", 0.0)
    try:
        return Detail(props.currency or "", float(props.value or 0.0))
    except ValueError:
        return Detail(props.currency or "", 0.0)


def funnel_steps(funnel: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return each elementary step and the joined one over the last two, as places in the funnel."""
    steps = list(pairwise(range(len(funnel))))
    if len(funnel) >= 3:
        steps.append((len(funnel) - 3, len(funnel) - 1))
    return steps
