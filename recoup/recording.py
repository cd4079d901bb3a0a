"""Recorded events and changes in files, read as the log would have taken them in."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from pathlib import Path

import msgspec
import numpy as np
from pydantic import ValidationError

from recoup.domain.base import to_ms
from recoup.domain.changes import Change
from recoup.domain.errors import InvalidInput
from recoup.domain.series import EventBlock, LineProblem

CHUNK = 1 << 20
DIMS_KEPT = 200_000
PROBLEMS_KEPT = 20
LAST_ONES = 9
BUFFER = 1 << 18
NEWLINE = ord("\n")


class _Sent(msgspec.Struct, gc=False):
    id: str
    type: str
    time: datetime
    session: str
    dims: msgspec.Raw = msgspec.Raw(b"{}")
    props: msgspec.Raw = msgspec.Raw(b"{}")


_SENT = msgspec.json.Decoder(_Sent)
_DIMS = msgspec.json.Decoder(dict[str, str])


@dataclass
class EventFile:
    """Events of an NDJSON file, plain or gzipped, in order of arrival; each id counts once."""

    path: Path
    taken: int = 0
    duplicates: int = 0
    problems: list[LineProblem] = field(default_factory=list)
    rejected: int = 0
    share_read: float = 0.0
    _seen: set[int] = field(default_factory=set)
    _dims: set[bytes] = field(default_factory=set)
    """Dims as they were written that are known to be good."""
    _line: int = 0

    def blocks(self) -> Iterator[EventBlock]:
        """Yield the events in blocks, as ingest would have stored them."""
        size = max(self.path.stat().st_size, 1)
        with self.path.open("rb") as raw:
            stream = raw
            if raw.peek(2)[:2] == b"\x1f\x8b":
                stream = BufferedReader(gzip.GzipFile(fileobj=raw), BUFFER)
            for data in _chunks(stream):
                block = self._block(data)
                self.share_read = raw.tell() / size
                if block.count:
                    yield block

    def _block(self, data: bytes) -> EventBlock:
        try:
            events = _SENT.decode_lines(data)
            self._check_dims(events)
        except (ValueError, RecursionError):
            events = []
        if len(events) == _count_lines(data):
            self._line += len(events)
        else:
            data, events = self._one_by_one(data)
        # Python's own hash of a text is as wide, and kept with it.
        ids = [hash(event.id) for event in events]
        if len(set(ids)) == len(ids) and self._seen.isdisjoint(ids):
            self._seen.update(ids)
        else:
            data, events = self._once(data, events, ids)
        first, self.taken = self.taken + 1, self.taken + len(events)
        times = sorted(event.time for event in events[-LAST_ONES:])
        arrived = to_ms(times[len(times) // 2]) if times else 0
        return EventBlock(first, len(events), arrived, data, events)

    def _check_dims(self, events: list[_Sent]) -> None:
        """Raise ValueError unless all dims are texts by name; most were written before."""
        known = self._dims
        fresh = {raw for event in events if (raw := bytes(event.dims)) not in known}
        for raw in fresh:
            _DIMS.decode(raw)
        if len(self._dims) > DIMS_KEPT:
            self._dims.clear()
        self._dims |= fresh

    def _once(self, data: bytes, events: list[_Sent], ids: list[int]) -> tuple[bytes, list[_Sent]]:
        kept = []
        for place, number in enumerate(ids):
            if number in self._seen:
                self.duplicates += 1
            else:
                self._seen.add(number)
                kept.append(place)
        lines = data.split(b"\n")
        return b"".join(lines[place] + b"\n" for place in kept), [events[place] for place in kept]

    def _one_by_one(self, data: bytes) -> tuple[bytes, list[_Sent]]:
        good: list[bytes] = []
        events: list[_Sent] = []
        for line in data.split(b"\n")[:-1]:
            self._line += 1
            if not line.strip():
                continue
            try:
                event = _SENT.decode(line)
                self._check_dims([event])
            except (ValueError, RecursionError) as error:
                self.rejected += 1
                if len(self.problems) < PROBLEMS_KEPT:
                    self.problems.append(LineProblem(self._line, "", str(error)))
            else:
                events.append(event)
                good.append(line + b"\n")
        return b"".join(good), events


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    """Yield the file in pieces of whole lines, each with its end."""
    rest = b""
    while data := stream.read(CHUNK):
        whole = data.rfind(b"\n") + 1
        if whole:
            yield rest + data[:whole]
            rest = data[whole:]
        else:
            rest += data
    if rest:
        yield rest + b"\n"


def _count_lines(data: bytes) -> int:
    """Count the ends of lines; bytes.count takes five times as long."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == NEWLINE))


def read_changes(path: Path) -> list[Change]:
    """Return the changes of an NDJSON file. Raises InvalidInput with the line that is wrong."""
    changes = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                changes.append(Change.model_validate_json(line))
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(str(part) for part in problem["loc"])
                raise InvalidInput(f"{path.name}:{number}: {where}: {problem['msg']}") from error
    return sorted(changes, key=lambda change: (change.time, change.id))
