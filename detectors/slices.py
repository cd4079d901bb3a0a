"""Slices: what happened in each ten minutes to every cohort at once, for pages that ask later.

A slice tallies the trials exposed in a span of event time by leaf and metric, so that any cohort
(and any change's scope) can be looked up afterwards, also one nobody watched at the time. Slices
are cut from the trial table as ticks close: once while outcomes are still under way, counting the
share that is due, and once more when the last outcome is in. They never feed back into detection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import zstandard

from detectors.evidence_making import coded
from detectors.trials import Bools, Floats, Ints, TrialTable
from recoup.domain.series import SliceRow

SLICE_MS = 600_000
FORMAT = 1
_METRIC_BITS = 8


@dataclass(frozen=True, slots=True)
class Slice:
    """Tallies of the trials exposed from ``start_ms`` on, as known at ``until_ms``.

    Leaves are coded as in ``IncidentEvidence``: ``leaves[i, d]`` is a code into ``values[d]``,
    where 0 means that the dimension was absent. The other arrays have one entry a row.
    """

    start_ms: int
    span_ms: int
    until_ms: int
    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    metrics: tuple[str, ...]
    leaves: Ints
    leaf: Ints
    metric: Ints
    trials: Floats
    observed: Floats
    expected: Floats
    variance: Floats

    def members(self, scope: Mapping[str, str | Sequence[str]]) -> Bools:
        """Return a mask over the leaves: those inside a cohort or a change's scope."""
        mask = np.ones(len(self.leaves), dtype=bool)
        for name, wanted in scope.items():
            if name not in self.dimensions:
                return np.zeros(len(self.leaves), dtype=bool)
            d = self.dimensions.index(name)
            allowed = [wanted] if isinstance(wanted, str) else list(wanted)
            codes = [code for code, value in enumerate(self.values[d]) if value in allowed]
            mask &= np.isin(self.leaves[:, d], codes)
        return mask

    def sums(self, members: Bools) -> Floats:
        """Return trials, observed, expected and variance (rows) by metric (columns) of leaves."""
        inside = members[self.leaf]
        metric, count = self.metric[inside], len(self.metrics)
        columns = (self.trials, self.observed, self.expected, self.variance)
        return np.stack([np.bincount(metric, each[inside], count) for each in columns])


class Slicer:
    """Cuts slices as ticks close; hand ``note`` to the engine's ``on_tick``."""

    def __init__(self, table: TrialTable, names: tuple[str, ...], dims: list[dict[str, str]]):
        self._table, self._names, self._dims = table, names, dims
        self._made: dict[int, SliceRow] = {}

    def note(self, now_ms: int) -> None:
        """Cut the slice that ends now, and anew the one whose last outcome has come."""
        if now_ms % SLICE_MS:
            return
        settled = (now_ms - int(self._table.horizons.max())) // SLICE_MS * SLICE_MS - SLICE_MS
        for start in sorted({settled, now_ms - SLICE_MS}):
            found = cut_slice(self._table, self._names, self._dims, start, now_ms)
            if found is not None:
                self._made[start] = SliceRow(start, to_bytes(found))

    def take(self) -> list[SliceRow]:
        """Return what was cut since the last call."""
        made, self._made = self._made, {}
        return list(made.values())


def cut_slice(
    table: TrialTable,
    names: tuple[str, ...],
    dims: list[dict[str, str]],
    start_ms: int,
    now_ms: int,
) -> Slice | None:
    """Return the slice that starts at a moment, or None when nothing was exposed in it."""
    low, high = np.searchsorted(table.exposed_ms, [start_ms, start_ms + SLICE_MS])
    if high <= low:
        return None
    part = slice(int(low), int(high))
    share = table.due_share(part, now_ms)
    p = table.p[part] * share
    key = table.leaf[part] << _METRIC_BITS | table.metric[part]
    groups, place = np.unique(key, return_inverse=True)
    success = (table.success_ms[part] >= 0).astype(float)
    used, leaf = np.unique(groups >> _METRIC_BITS, return_inverse=True)
    dimensions, values, leaves = coded([dims[number] for number in used.tolist()])
    sums: list[Floats] = [
        np.bincount(place, each, len(groups)).astype(np.float64)
        for each in (share, success, p, p * (1 - p))
    ]
    return Slice(
        start_ms,
        SLICE_MS,
        now_ms,
        dimensions,
        values,
        names,
        leaves,
        leaf,
        groups & ((1 << _METRIC_BITS) - 1),
        *sums,
    )


_INTS = ("leaf", "metric")
_FLOATS = ("trials", "observed", "expected", "variance")


def to_bytes(found: Slice) -> bytes:
    """Pack a slice for the store: msgpack inside zstd, codes and tallies as narrow as they go."""
    plain: dict[str, Any] = {"format": FORMAT, "shape": list(found.leaves.shape)}
    for name in ("start_ms", "span_ms", "until_ms", "dimensions", "values", "metrics"):
        plain[name] = getattr(found, name)
    plain["leaves"] = found.leaves.astype(np.int32).tobytes()
    for name in _INTS:
        plain[name] = getattr(found, name).astype(np.int32).tobytes()
    for name in _FLOATS:
        plain[name] = getattr(found, name).astype(np.float32).tobytes()
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(plain))


def from_bytes(payload: bytes) -> Slice | None:
    """Unpack a slice; None when another version of Recoup wrote it."""
    plain = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(payload))
    if plain.pop("format") != FORMAT:
        return None
    shape = plain.pop("shape")
    for name in ("leaves", *_INTS):
        plain[name] = np.frombuffer(plain[name], dtype=np.int32).astype(np.int64)
    for name in _FLOATS:
        plain[name] = np.frombuffer(plain[name], dtype=np.float32).astype(np.float64)
    plain["leaves"] = plain["leaves"].reshape(shape)
    for name in ("dimensions", "metrics"):
        plain[name] = tuple(plain[name])
    plain["values"] = tuple(tuple(codes) for codes in plain["values"])
    return Slice(**plain)
