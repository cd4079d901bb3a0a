"""From the bytes of a request to validated events: the fast twin of the pydantic contract.

A bad line costs nothing and does not take its batch along. What is kept of a good line is its
canonical form: one JSON object with the contract's keys in their order, no white space.
"""

from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from recoup.domain.series import LineProblem
from recoup.domain.storefront import MAX_DIMS, MAX_EVENT_BYTES, MAX_TEXT

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
Label = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
EMPTY = msgspec.Raw(b"{}")


class EventLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as decoded; ``dims`` and ``props`` stay raw."""

    id: Text
    type: Text
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    session: Text
    user: Text | None = None
    dims: msgspec.Raw = EMPTY
    props: msgspec.Raw = EMPTY


class Decoded(NamedTuple):
    """The good events of a body with their line numbers, and what was wrong with the others."""

    events: list[EventLine]
    lines: list[int]
    problems: list[LineProblem]


_EVENT = msgspec.json.Decoder(EventLine)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_DIMS = msgspec.json.Decoder(dict[Text, Label])
_PROPS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CACHE_LIMIT = 100_000


class EventDecoder:
    """Decodes bodies; remembers which ``dims`` it has checked, as most sessions repeat theirs."""

    def __init__(self) -> None:
        self._checked: dict[bytes, msgspec.Raw] = {}

    def decode(self, body: bytes) -> Decoded:
        """Return the events of NDJSON, of a JSON array or of one object."""
        events: list[EventLine] = []
        lines: list[int] = []
        problems: list[LineProblem] = []
        for number, line in enumerate(split(body), 1):
            if not line.strip():
                continue
            problem = self._decode_line(line, events)
            if problem is None:
                lines.append(number)
            else:
                problems.append(LineProblem(number, *problem))
        return Decoded(events, lines, problems)

    def _decode_line(self, line: bytes, events: list[EventLine]) -> tuple[str, str] | None:
        if len(line) > MAX_EVENT_BYTES:
            return "", f"longer than {MAX_EVENT_BYTES} bytes"
        try:
            event = _EVENT.decode(line)
        except (ValueError, RecursionError) as error:
            return explain(error)
        raw = bytes(event.dims)
        known = self._checked.get(raw)
        if known is None:
            try:
                known = self._check_dims(raw)
            except (ValueError, RecursionError) as error:
                return "dims", explain(error)[1]
        event.dims = known
        if event.props is not EMPTY:
            try:
                _PROPS.decode(event.props)
            except (ValueError, RecursionError) as error:
                return "props", explain(error)[1]
        events.append(event)
        return None

    def _check_dims(self, raw: bytes) -> msgspec.Raw:
        dims = _DIMS.decode(raw)
        if len(dims) > MAX_DIMS:
            raise ValueError(f"more than {MAX_DIMS} dimensions")
        if len(self._checked) >= _CACHE_LIMIT:
            self._checked.clear()
        canonical = msgspec.Raw(msgspec.json.encode(dims))
        self._checked[raw] = canonical
        return canonical


def split(body: bytes) -> list[bytes]:
    """Return the lines of NDJSON, or the items of a JSON array."""
    if body.lstrip()[:1] == b"[":
        try:
            return [bytes(item) for item in _ARRAY.decode(body)]
        except (ValueError, RecursionError):
            return [body]
    return body.split(b"\n")


def explain(error: Exception) -> tuple[str, str]:
    """Return the field and the reason of a decoding error."""
    text = str(error) or type(error).__name__
    reason, separator, path = text.partition(" - at `$")
    field = path.rstrip("`").lstrip(".") if separator else ""
    if not separator and "field `" in text:
        field = text.split("field `")[1].split("`")[0]
    return field, reason
