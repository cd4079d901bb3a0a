"""A dimension with a new value in every event is folded, counted, and eats no memory."""

import json
from typing import Any

import pytest

from detectors.columns import Decoder, Leaves
from recoup.domain.series import EventBlock


def block(first: int, count: int) -> EventBlock:
    lines: list[dict[str, Any]] = [
        {
            "type": "page_viewed",
            "time": "2026-03-02T12:00:00Z",
            "session": "s",
            "dims": {"os": ["iOS", "Android"][number % 2], "visit": f"v{number}"},
        }
        for number in range(first, first + count)
    ]
    data = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines).encode()
    return EventBlock(first, count, 1_772_452_800_000, data)


@pytest.mark.parametrize("size", [100, 1000])
def test_a_runaway_dimension_is_folded_and_counted(size: int) -> None:
    leaves = Leaves(max_values=50)
    decoder = Decoder(leaves, {})
    for first in range(0, 3000, size):
        columns, _ = decoder.decode(block(first, size))
        for text in columns.text.tolist():
            leaves.number(text)
    assert leaves.folded == {"visit": 2950}
    assert len(leaves) == 52
    assert len(leaves.texts) == len(leaves.by_text) == 52
    assert [dims["visit"] for dims in leaves.dims[50:]] == ["other", "other"]
