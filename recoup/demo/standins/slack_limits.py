"""What Slack refuses: blocks beyond their limits, and files that it does not know."""

from collections.abc import Iterator
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_BLOCKS, MOST_TEXT = 50, 13_200
MOST_FIELDS, FIELD = 10, 2000
SECTION, HEADER, ELEMENTS, CONTEXT_ELEMENTS, BLOCK_ID = 3000, 150, 25, 10, 255


def refusal(blocks: list[dict[str, Any]], files: set[str], most_blocks: int = MOST_BLOCKS) -> str:
    """Return the error that Slack would answer these blocks with, or an empty text."""
    if len(blocks) > most_blocks:
        return "invalid_blocks"
    if sum(_size(text) for text in texts_of(blocks)) > MOST_TEXT:
        return "msg_blocks_too_long"
    for block in blocks:
        if _is_wrong(block, files):
            return "invalid_blocks"
    return ""


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text that is shown."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name in ("text", "alt_text") and isinstance(part, str):
                yield part
            else:
                yield from texts_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_of(part)


def _size(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _is_wrong(block: dict[str, Any], files: set[str]) -> bool:
    if "slack_file" in block and block["slack_file"].get("id") not in files:
        return True
    if len(block.get("block_id", "")) > BLOCK_ID:
        return True
    try:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.to_dict()
    except SlackObjectFormationError:
        return True
    limit = {"section": SECTION, "header": HEADER}.get(block["type"])
    if limit is not None and not _has_text(block, limit):
        return True
    most = {"actions": ELEMENTS, "context": CONTEXT_ELEMENTS}.get(block["type"], ELEMENTS)
    elements = block.get("elements", [])
    return len(elements) > most or any(_is_wrong_element(element) for element in elements)


def _has_text(block: dict[str, Any], limit: int) -> bool:
    """Tell whether a header or section has its text; a section may have fields instead."""
    fields = block.get("fields", [])
    if len(fields) > MOST_FIELDS or any(not 0 < _size(f["text"]) <= FIELD for f in fields):
        return False
    shown = block.get("text", {}).get("text")
    if shown is None and fields:
        return True
    return 0 < _size(shown or "") <= limit


def _is_wrong_element(element: dict[str, Any]) -> bool:
    options = element.get("options")
    if options is not None and not 1 <= len(options) <= 5 and element["type"] == "overflow":
        return True
    labels = [element.get("text"), *[option["text"] for option in options or ()]]
    shown = [label["text"] for label in labels if isinstance(label, dict)]
    longest = 75 if element["type"] in ("button", "overflow") else SECTION
    return any(not 0 < _size(text) <= longest for text in shown)
