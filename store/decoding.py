"""From the bytes of a request to validated events: the fast twin of the pydantic contract.

``recoup.domain.storefront.StorefrontEvent`` is the contract; this says yes and no to the same
lines (a property test feeds both), five times as fast. A bad line costs nothing and does not take
its batch along.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from recoup.domain.errors import InvalidInput
from recoup.domain.series import LineProblem
from recoup.domain.storefront import MAX_DEPTH, MAX_DIMS, MAX_EVENT_BYTES, MAX_TEXT

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_BODY_LINES = 200_000
Places = npt.NDArray[np.intp]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
Label = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
_NO_DIMS = msgspec.Raw(b"{}")
_NEWLINE, _OPENS, _CLOSES, _LISTS = b"\n{}["


class EventLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event; ``dims`` are checked once for each distinct text and kept as canonical JSON."""

    id: Text
    type: Text
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    session: Text
    user: Text | None = None
    dims: msgspec.Raw = _NO_DIMS
    props: dict[str, Any] = {}


class Decoded(NamedTuple):
    """The good events of a body with their line numbers, and what was wrong with the others."""

    events: list[EventLine]
    lines: list[int]
    problems: list[LineProblem]


class _Refused(ValueError):
    """A field breaks a limit of the contract."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


class EventDecoder:
    """Decodes bodies; remembers which ``dims`` it has checked, as most sessions repeat theirs."""

    cache_limit = 50_000
    at_once_from = 8 * 1024
    """A body with fewer bytes is read line by line, which is quicker up to some twenty events."""

    def __init__(self, census: "DimensionCensus | None" = None) -> None:
        self.census = census or DimensionCensus()
        self._checked: dict[bytes, msgspec.Raw] = {}
        self._decode = msgspec.json.Decoder(EventLine).decode
        self._decode_many = msgspec.json.Decoder(EventLine).decode_lines
        self._decode_dims = msgspec.json.Decoder(dict[Text, Label]).decode

    def decode(self, body: bytes) -> Decoded:
        """Return the events of NDJSON, of a JSON array or of one object.

        Raises InvalidInput when the body as a whole is too large.
        """
        if len(body) > MAX_BODY_BYTES:
            raise InvalidInput(f"a body has at most {MAX_BODY_BYTES} bytes")
        if body.lstrip()[:1] == b"[":
            return self._decode_array(body)
        if len(body) >= self.at_once_from:
            decoded = self._decode_at_once(body)
            if decoded is not None:
                return decoded
        lines = body.split(b"\n")
        if len(lines) > MAX_BODY_LINES:
            raise InvalidInput(f"a body has at most {MAX_BODY_LINES} lines")
        decoded = self._decode_lines(lines)
        if len(lines) > 1 and decoded.problems and not decoded.events:
            whole = self._decode_lines([body])
            if whole.events:  # one object, written over several lines
                return whole
        return decoded

    def _decode_at_once(self, body: bytes) -> Decoded | None:
        """Return the events of NDJSON in which everything is well; None when it needs a look."""
        starts = _objects_by_line(body)
        count = len(starts)
        if not 0 < count <= MAX_BODY_LINES:
            return None
        try:
            events = self._decode_many(body)
            if len(events) != count:
                return None
            known = self._checked.get
            for event in events:
                raw = bytes(event.dims)
                event.dims = known(raw) or self._check_dims(raw)
                if event.time.tzinfo is not UTC:
                    event.time = _to_utc(event.time)
        except (ValueError, RecursionError):
            return None
        if any(_depth(events[place].props) > MAX_DEPTH for place in _bracketed(body, starts)):
            return None
        return Decoded(events, list(range(1, count + 1)), [])

    def _decode_array(self, body: bytes) -> Decoded:
        try:
            items = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (ValueError, RecursionError) as error:
            return Decoded([], [], [LineProblem(1, *_explain(error))])
        if len(items) > MAX_BODY_LINES:
            raise InvalidInput(f"a body has at most {MAX_BODY_LINES} events")
        lines = [bytes(item) for item in items]
        at_once = len(body) >= self.at_once_from and self._decode_at_once(b"\n".join(lines))
        return at_once or self._decode_lines(lines)

    def _decode_lines(self, lines: Sequence[bytes]) -> Decoded:
        events: list[EventLine] = []
        numbers: list[int] = []
        problems: list[LineProblem] = []
        one = self.decode_one
        for number, line in enumerate(lines, 1):
            try:
                events.append(one(line))
            except (ValueError, RecursionError) as error:
                if line and not line.isspace():
                    problems.append(LineProblem(number, *_explain(error)))
            else:
                numbers.append(number)
        return Decoded(events, numbers, problems)

    def decode_one(self, line: bytes) -> EventLine:
        """Return the event of one line. Raises ValueError or RecursionError with the reason."""
        if len(line) > MAX_EVENT_BYTES:
            raise _Refused("", f"an event has at most {MAX_EVENT_BYTES} bytes")
        event = self._decode(line)
        raw = bytes(event.dims)
        event.dims = self._checked.get(raw) or self._check_dims(raw)
        if event.time.tzinfo is not UTC:
            event.time = _to_utc(event.time)
        # Only a line with this many brackets can be deeper than an event has to be.
        may_be_deep = line.count(b"{") > 3 or b"[" in line
        if may_be_deep and _depth(event.props) > MAX_DEPTH:
            raise _Refused("props", f"nested more than {MAX_DEPTH} deep")
        return event

    def _check_dims(self, raw: bytes) -> msgspec.Raw:
        try:
            dims = self._decode_dims(raw)
        except (ValueError, RecursionError) as error:
            field, reason = _explain(error)
            raise _Refused(f"dims.{field}" if field else "dims", reason) from error
        if len(dims) > MAX_DIMS:
            raise _Refused("dims", f"at most {MAX_DIMS} dimensions")
        self.census.observe(dims)
        canonical = msgspec.Raw(msgspec.json.encode(dims, order="sorted"))
        if len(self._checked) >= self.cache_limit:
            self._checked.clear()
        self._checked[raw] = canonical
        return canonical


class DimensionCensus:
    """Counts the distinct values of each dimension up to a bound, to name the runaway ones."""

    names_limit = 200
    values_limit = 10_000
    usual_limit = 20_000

    def __init__(self) -> None:
        self._values: dict[str, set[int]] = {}
        self._reported: dict[str, int] = {}
        self._usual: set[tuple[str, str]] = set()
        """Pairs that were counted: most texts hold nothing else, which one comparison tells."""

    def observe(self, dims: dict[str, str]) -> None:
        """Count the values of one event."""
        if self._usual >= dims.items():
            return
        news = dims.items() - self._usual
        if len(self._usual) > self.usual_limit:
            self._usual.clear()
        self._usual |= news
        for name, value in dims.items():  # In their order: a set's differs from run to run.
            if (name, value) not in news:
                continue
            seen = self._values.get(name)
            if seen is None:
                if len(self._values) >= self.names_limit:
                    continue
                seen = self._values[name] = set()
            if len(seen) < self.values_limit:
                seen.add(hash(value))

    def news(self, threshold: int) -> dict[str, int]:
        """Return the dimensions beyond ``threshold`` whose count doubled since last told."""
        news = {
            name: len(seen)
            for name, seen in self._values.items()
            if len(seen) > threshold and len(seen) >= 2 * self._reported.get(name, 0)
        }
        self._reported.update(news)
        return news


def _objects_by_line(body: bytes) -> Places:
    """Return where lines start if each begins and ends as an object of fair size; else nothing.

    Then no value goes over the end of a line, since nothing inside a value may follow ``}`` with
    ``{``; and as many values as lines are one on each.
    """
    text = np.frombuffer(body, dtype=np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    starts = np.append(0, ends[:-1] + 1)
    sizes = ends - starts
    if sizes.min() < 2 or sizes.max() > MAX_EVENT_BYTES:
        return starts[:0]
    is_whole = (text[starts] == _OPENS).all() and (text[ends - 1] == _CLOSES).all()
    return starts if is_whole else starts[:0]


def _bracketed(body: bytes, starts: Places) -> list[int]:
    """Return the lines with so many opening brackets that their props may be nested too deep."""
    text = np.frombuffer(body, dtype=np.uint8)
    is_opening = text == _OPENS
    if b"[" in body:
        is_opening |= text == _LISTS
    before = np.searchsorted(np.flatnonzero(is_opening), np.append(starts, len(text)))
    # The event itself opens the first of them.
    return np.flatnonzero(np.diff(before) - 1 > MAX_DEPTH).tolist()


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _Refused("time", "beyond the calendar") from error


def _depth(value: Any) -> int:
    """Return how deep lists and objects are nested; a plain value has depth 0."""
    deepest, level = 0, [value]
    while level:
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            break
        deepest += 1
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _explain(error: Exception) -> tuple[str, str]:
    """Return the field and the reason of a decoding error."""
    if isinstance(error, _Refused):
        return error.field, error.reason
    if isinstance(error, RecursionError):
        return "", "nested too deep"
    text = str(error) or type(error).__name__
    reason, separator, path = text.partition(" - at `")
    field = path.rstrip("`").lstrip("$").lstrip(".") if separator else ""
    if not field and "field `" in reason:
        field = reason.split("field `")[1].split("`")[0]
    return field, reason
