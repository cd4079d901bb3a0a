"""Recorded events and changes in files, read as the log would have taken them in."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from itertools import islice
from pathlib import Path

import msgspec
import xxhash
from pydantic import ValidationError

from recoup.domain.base import to_ms
from recoup.domain.changes import Change
from recoup.domain.errors import InvalidInput
from recoup.domain.series import EventBlock, LineProblem

LINES_A_BLOCK = 5000
PROBLEMS_KEPT = 20
LAST_ONES = 9
BUFFER = 1 << 18


class _Head(msgspec.Struct, gc=False):
    id: str
    type: str
    time: datetime
    session: str
    dims: dict[str, str] = {}


_HEAD = msgspec.json.Decoder(_Head)
_HEADS = msgspec.json.Decoder(_Head)


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
    _line: int = 0

    def blocks(self) -> Iterator[EventBlock]:
        """Yield the events in blocks, as ingest would have stored them."""
        size = max(self.path.stat().st_size, 1)
        with self.path.open("rb") as raw:
            stream = raw
            if raw.peek(2)[:2] == b"\x1f\x8b":
                stream = BufferedReader(gzip.GzipFile(fileobj=raw), BUFFER)
            while lines := _next_lines(stream):
                block = self._block(lines)
                self.share_read = raw.tell() / size
                if block.count:
                    yield block

    def _block(self, lines: list[bytes]) -> EventBlock:
        try:
            heads = _HEADS.decode_lines(b"".join(lines))
        except (ValueError, RecursionError):
            heads = []
        if len(heads) != len(lines):
            lines, heads = self._one_by_one(lines)
        else:
            self._line += len(lines)
        digest = xxhash.xxh3_64_intdigest
        ids = [digest(head.id.encode()) for head in heads]
        if len(set(ids)) == len(ids) and self._seen.isdisjoint(ids):
            self._seen.update(ids)
        else:
            lines, heads = self._once(lines, heads, ids)
        first, self.taken = self.taken + 1, self.taken + len(lines)
        times = sorted(head.time for head in heads[-LAST_ONES:])
        arrived = to_ms(times[len(times) // 2]) if times else 0
        return EventBlock(first, len(lines), arrived, b"".join(lines))

    def _once(
        self, lines: list[bytes], heads: list[_Head], ids: list[int]
    ) -> tuple[list[bytes], list[_Head]]:
        kept = []
        for place, number in enumerate(ids):
            if number in self._seen:
                self.duplicates += 1
            else:
                self._seen.add(number)
                kept.append(place)
        return [lines[place] for place in kept], [heads[place] for place in kept]

    def _one_by_one(self, lines: list[bytes]) -> tuple[list[bytes], list[_Head]]:
        good: list[bytes] = []
        heads: list[_Head] = []
        for line in lines:
            self._line += 1
            if not line.strip():
                continue
            try:
                heads.append(_HEAD.decode(line))
                good.append(line if line.endswith(b"\n") else line + b"\n")
            except (ValueError, RecursionError) as error:
                self.rejected += 1
                if len(self.problems) < PROBLEMS_KEPT:
                    self.problems.append(LineProblem(self._line, "", str(error)))
        return good, heads


def _next_lines(stream: BufferedReader) -> list[bytes]:
    lines = list(islice(stream, LINES_A_BLOCK))
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += b"\n"
    return lines


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
