"""Seeds as people type them."""

import pytest

from recoup.demo.table import numbers_of
from recoup.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seeds"), [("4", [4]), ("1-3", [1, 2, 3]), ("1,4,9", [1, 4, 9]), ("1-2,7", [1, 2, 7])]
)
def test_seeds_are_spans_and_lists(text: str, seeds: list[int]) -> None:
    assert numbers_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-b"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="1-10 or 1,4,9"):
        numbers_of(text)
