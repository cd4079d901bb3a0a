"""Blocks of storefront events: how they are packed, checked and read."""

import threading
from collections.abc import Iterator, Sequence

import msgspec
import xxhash
import zstandard
from sqlalchemy import Connection, Integer, bindparam, select

from recoup.domain.errors import LogDamaged
from recoup.domain.series import EventBlock
from store import tables as t
from store.decoding import EventLine
from store.dedup import Hashes
from store.head import Head
from store.moments import to_whole_ms
from store.tables import StoredRow

SEALED = t.blocks.c.sealed_in != ""
MAX_BLOCK_EVENTS = 5_000
BLOCKS_AT_ONCE = 1_000
COLUMNS = (
    t.blocks.c.first_position,
    t.blocks.c.count.label("size"),
    t.blocks.c.received_at_ms,
    t.blocks.c.checksum,
    t.blocks.c.sealed_in,
    t.blocks.c.id_hashes,
    t.blocks.c.data,
)

# Made once: making a statement takes longer than the database takes for it.
_c = t.blocks.c
_INSERT = t.blocks.insert()
_SIZES = (
    select(_c.first_position, _c.count.label("size"))
    .where(_c.first_position > bindparam("above"), _c.first_position <= bindparam("until"))
    .where(_c.first_position + _c.count > bindparam("after") + 1, ~SEALED)
    .order_by(_c.first_position)
    .limit(bindparam("at_most", type_=Integer))
)
_BETWEEN = (
    select(*COLUMNS)
    .where(_c.first_position.between(bindparam("first"), bindparam("last")), ~SEALED)
    .order_by(_c.first_position)
)


class _Zstd(threading.local):
    """What packs and unpacks: slow to make, and only safe within one thread."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_ZSTD = _Zstd()


def append_block(
    head: Head, events: Sequence[EventLine], hashes: Hashes, received_at_ms: int
) -> int:
    """Append events as one block; return the position of the first."""
    data = msgspec.json.Encoder().encode_lines(events)
    packed = _ZSTD.compress(data)
    id_hashes = hashes.tobytes()
    first = head.take(len(events))
    times = [event.time for event in events]
    head.connection.execute(
        _INSERT,
        {
            "first_position": first,
            "count": len(events),
            "received_at_ms": received_at_ms,
            "first_ms": to_whole_ms(min(times)),
            "last_ms": to_whole_ms(max(times)),
            "raw_bytes": len(data),
            "checksum": checksum(first, id_hashes, packed),
            "sealed_in": "",
            "id_hashes": id_hashes,
            "data": packed,
        },
    )
    return first


def checksum(first_position: int, id_hashes: bytes, packed: bytes) -> str:
    """Return what a block's bytes must hash to."""
    digest = xxhash.xxh3_128(b"%d " % first_position)
    digest.update(id_hashes)
    digest.update(packed)
    return digest.hexdigest()


def unpack(row: StoredRow) -> EventBlock:
    """Return a stored block. Raises LogDamaged when a bit of it has changed."""
    packed = bytes(row.data)
    if checksum(row.first_position, bytes(row.id_hashes), packed) != row.checksum:
        raise _damaged(row)
    try:
        data = _ZSTD.decompress(packed)
    except zstandard.ZstdError as error:
        raise _damaged(row) from error
    return EventBlock(row.first_position, row.size, row.received_at_ms, data)


def _damaged(row: StoredRow) -> LogDamaged:
    last = row.first_position + row.size - 1
    return LogDamaged(
        f"the block at positions {row.first_position} to {last} does not verify; "
        "`recoup log heal BACKUP` takes it from a backup"
    )


def read_block(connection: Connection, first_position: int) -> EventBlock:
    """Return the block that starts at a position. Raises LogDamaged when it is not there."""
    wanted = select(*COLUMNS).where(t.blocks.c.first_position == first_position)
    row = connection.execute(wanted).first()
    if row is None:
        raise LogDamaged(f"there is no block at position {first_position}")
    return unpack(row)


def all_blocks(connection: Connection) -> Iterator[EventBlock]:
    """Return every block that is in the database, in order, one at a time."""
    until = connection.execute(select(t.head.c.position)).scalar_one()
    after = 0
    while after < until:
        found, after_this = read_blocks(connection, after, until, MAX_BLOCK_EVENTS)
        yield from found
        after = max(after_this, after + 1)


def read_blocks(
    connection: Connection, after: int, until: int, max_events: int
) -> tuple[list[EventBlock], int]:
    """Return the blocks with events in ``after < position <= until``, at least one if there are.

    With them comes the position up to which they are complete: ``until``, or less when there is
    more than ``max_events``. A block that starts at or before ``after`` is returned from the
    event behind it; a sealed one has left the log and is passed over.
    """
    bounds = {"above": after - MAX_BLOCK_EVENTS, "after": after, "until": until}
    sizes = connection.execute(_SIZES, {**bounds, "at_most": BLOCKS_AT_ONCE}).all()
    wanted: list[int] = []
    events = 0
    for row in sizes:
        if wanted and events + row.size > max_events:
            until = row.first_position - 1
            break
        wanted.append(row.first_position)
        events += row.size
    else:
        if len(sizes) == BLOCKS_AT_ONCE:
            until = sizes[-1].first_position + sizes[-1].size - 1
    if not wanted:
        return [], until
    rows = connection.execute(_BETWEEN, {"first": wanted[0], "last": wanted[-1]})
    return [_behind(unpack(row), after) for row in rows], until


def _behind(block: EventBlock, after: int) -> EventBlock:
    skipped = after - block.first_position + 1
    if skipped <= 0:
        return block
    lines = block.data.split(b"\n", skipped)
    return EventBlock(after + 1, block.count - skipped, block.received_at_ms, lines[-1])
