"""From played sessions to the recorded file: what reaches the shop's log, in order of arrival."""

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from recoup.demo.world.journeys import TYPES, Texts, World
from recoup.demo.world.shop import DIMENSIONS, Flags, Ints, Shop, draw
from recoup.demo.world.visits import Visits
from recoup.domain.storefront import ORDER_COMPLETED

_CHUNK = 50_000


@dataclass(frozen=True)
class Recording:
    """The events that were sent, as columns in order of arrival; ``number`` counts in a session."""

    visit: Ints
    at: Ints
    kind: Ints
    props: Texts
    number: Ints

    def __len__(self) -> int:
        return len(self.at)


def start_of(shop: Shop) -> datetime:
    """Return the first midnight of the period: a day of its own for each seed."""
    return datetime(2025, 1, 6, tzinfo=UTC) + timedelta(days=shop.seed * 37 % 500)


def record(world: World) -> Recording:
    """Return what was sent: outages and lost beacons taken out, nothing after the end."""
    rng = draw(world.shop.seed, 5)
    tape = world.tape
    visit, at, kind = (np.concatenate(rows) for rows in (tape.visit, tape.at, tape.kind))
    props = np.concatenate(tape.props)
    sent = at < world.shop.length
    for number, fault in enumerate(world.faults):
        inside = world.inside[number][visit] & fault.active(at)
        if fault.silent:
            sent &= ~_silenced(world, number, visit, at, kind)
        elif fault.lost_type:
            of_type = kind == TYPES.index(fault.lost_type)
            sent &= ~(inside & of_type & (rng.random(len(at)) < fault.effect))
    visit, at, kind, props = visit[sent], at[sent], kind[sent], props[sent]
    order = np.lexsort((at, visit))
    starts = np.flatnonzero(np.diff(visit[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    number_in = np.empty(len(order), dtype=np.int64)
    number_in[order] = np.arange(len(order)) - np.repeat(starts, counts)
    late = rng.lognormal(np.log(300), 0.8, len(at))
    slow = rng.random(len(at)) < 0.004
    late[slow] += rng.integers(2000, 25_000, int(slow.sum()))
    arrival = np.argsort(at + late, kind="stable")
    return Recording(visit[arrival], at[arrival], kind[arrival], props[arrival], number_in[arrival])


def _silenced(world: World, number: int, visit: Ints, at: Ints, kind: Ints) -> Flags:
    """Tell which events an outage swallows: from its start, those of every session it met."""
    fault = world.faults[number]
    met = fault.active(at) & world.inside[number][visit]
    hit = np.zeros(len(world.visits), dtype=bool)
    hit[visit[met]] = True
    gone = hit[visit] & (at >= fault.onset)
    lost = visit[gone & (kind == TYPES.index(ORDER_COMPLETED))]
    world.ordered[lost] = False
    world.blame[lost] = number
    return np.asarray(gone)


def _prefixes(shop: Shop, visits: Visits) -> list[str]:
    """Return, for each session, the middle part of its lines: session, user and dimensions."""
    rows, leaf = np.unique(visits.codes, axis=0, return_inverse=True)
    names = [shop.values[dim] for dim in DIMENSIONS]
    dims = [
        json.dumps(
            {dim: names[i][row[i]] for i, dim in enumerate(DIMENSIONS)}, separators=(",", ":")
        )
        for row in rows.tolist()
    ]
    known = draw(shop.seed, 6).random(len(visits)) < 0.7
    return [
        f'"session":"{key}",{f"{chr(34)}user{chr(34)}:{chr(34)}u{user}{chr(34)}," if named else ""}'
        f'"dims":{dims[one]},"props":'
        for key, user, named, one in zip(
            session_keys(shop, len(visits)),
            visits.user.tolist(),
            known.tolist(),
            leaf.tolist(),
            strict=True,
        )
    ]


def session_keys(shop: Shop, count: int) -> list[str]:
    """Return the session ids: they look random and never repeat within a shop."""
    mixed = (np.arange(count, dtype=np.uint64) * np.uint64(11400714819323198485)).tolist()
    return [f"{shop.seed:x}-{one:016x}" for one in mixed]


def write_events(shop: Shop, visits: Visits, recording: Recording, path: Path) -> None:
    """Write the events as compressed NDJSON; the same recording gives the same bytes."""
    middles = _prefixes(shop, visits)
    keys = session_keys(shop, len(visits))
    start = np.datetime64(start_of(shop).replace(tzinfo=None), "ms")
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        for first in range(0, len(recording), _CHUNK):
            part = slice(first, first + _CHUNK)
            times = np.datetime_as_string(start + recording.at[part], unit="ms").tolist()
            lines = [
                f'{{"id":"{keys[visit]}-{number}","type":"{TYPES[kind]}","time":"{time}Z",'
                f"{middles[visit]}{props}}}\n"
                for visit, number, kind, time, props in zip(
                    recording.visit[part].tolist(),
                    recording.number[part].tolist(),
                    recording.kind[part].tolist(),
                    times,
                    recording.props[part].tolist(),
                    strict=True,
                )
            ]
            packed.write("".join(lines).encode())
