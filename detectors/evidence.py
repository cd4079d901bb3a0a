"""What the detector knows of an incident, as a table of tallies that travels between processes.

The engine makes it, the store keeps it, attribution, verification and the charts read it. It is
the same in production and in a backtest, so that both reason from the same figures.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from recoup.domain.cohort import Cohort

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FORMAT = 1


class Signal(msgspec.Struct, frozen=True):
    """How often one telling detail came in one tick from one leaf.

    ``kind`` is ``script_error`` (detail: file or message), ``payment_failed`` (detail: reason) or
    ``api_slow`` (detail: endpoint).
    """

    kind: str
    detail: str
    tick_ms: int
    leaf: int
    count: int


@dataclass(frozen=True, slots=True)
class IncidentEvidence:
    """Tallies of trials by tick of exposure, leaf and metric, from well before the onset until now.

    A *leaf* is one full combination of dimension values; ``leaves[i, d]`` is a code into
    ``values[d]``, where code 0 is the empty string and means that the dimension was absent.
    Row r says: of the exposures to ``metrics[metric[r]]`` by leaf ``leaf[r]`` in the tick that
    starts at ``tick_ms[r]``, ``observed[r]`` had succeeded by ``until_ms`` where the baseline
    expected ``expected[r]``. For a trial that still waits, ``trials`` and ``expected`` count only
    the share of outcomes due by now (the learned lag distribution). ``variance`` is that of
    ``observed`` under the baseline, over-dispersion included. For volumes ``trials`` equals
    ``expected``.
    """

    incident_id: str
    metric_name: str
    direction: str
    cohort: Cohort
    onset_ms: int
    opened_ms: int
    until_ms: int
    tick_size_ms: int
    currency: str
    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    leaves: IntArray
    metrics: tuple[str, ...]
    tick_ms: IntArray
    leaf: IntArray
    metric: IntArray
    trials: FloatArray
    observed: FloatArray
    expected: FloatArray
    variance: FloatArray
    order_value: FloatArray
    """Expected value of an order by leaf, length L, in ``currency``."""
    order_rate: FloatArray
    """Expected orders per success of ``metric_name`` by leaf, length L (1.0 if it is an order)."""
    signals: tuple[Signal, ...] = ()

    def in_cohort(self, cohort: Cohort) -> npt.NDArray[np.bool_]:
        """Return a mask over the leaves: those that belong to ``cohort``."""
        mask = np.ones(len(self.leaves), dtype=bool)
        for name, value in cohort.root.items():
            if name not in self.dimensions:
                return np.zeros(len(self.leaves), dtype=bool)
            d = self.dimensions.index(name)
            codes = self.values[d]
            mask &= self.leaves[:, d] == (codes.index(value) if value in codes else -1)
        return mask

    def dims_of(self, leaf: int) -> dict[str, str]:
        """Return the dimensions of one leaf, absent ones left out."""
        return {
            name: self.values[d][code]
            for d, (name, code) in enumerate(zip(self.dimensions, self.leaves[leaf], strict=True))
            if code
        }


_ARRAYS = {
    "leaves": np.int64,
    "tick_ms": np.int64,
    "leaf": np.int64,
    "metric": np.int64,
    "trials": np.float64,
    "observed": np.float64,
    "expected": np.float64,
    "variance": np.float64,
    "order_value": np.float64,
    "order_rate": np.float64,
}


def to_bytes(evidence: IncidentEvidence) -> bytes:
    """Pack evidence for the store: msgpack inside zstd."""
    plain: dict[str, Any] = {"format": FORMAT, "leaves_shape": list(evidence.leaves.shape)}
    for name in evidence.__dataclass_fields__:
        value = getattr(evidence, name)
        if name in _ARRAYS:
            value = np.ascontiguousarray(value, dtype=_ARRAYS[name]).tobytes()
        elif name == "cohort":
            value = value.root
        plain[name] = value
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(plain))


def from_bytes(payload: bytes) -> IncidentEvidence:
    """Unpack evidence. Raises ValueError when the format is not known."""
    plain = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(payload))
    if plain.pop("format") != FORMAT:
        raise ValueError("this evidence was written by another version of Recoup")
    shape = plain.pop("leaves_shape")
    for name, kind in _ARRAYS.items():
        plain[name] = np.frombuffer(plain[name], dtype=kind)
    plain["leaves"] = plain["leaves"].reshape(shape)
    plain["cohort"] = Cohort(plain["cohort"])
    plain["dimensions"] = tuple(plain["dimensions"])
    plain["values"] = tuple(tuple(codes) for codes in plain["values"])
    plain["metrics"] = tuple(plain["metrics"])
    plain["signals"] = tuple(msgspec.convert(item, Signal) for item in plain["signals"])
    return IncidentEvidence(**plain)
