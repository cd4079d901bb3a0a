"""Text for Slack: what comes from outside is escaped, and every piece keeps within its limit."""

import re
from collections.abc import Iterable
from datetime import datetime

MARK = "\u200b"
"""A zero-width space: formatting characters that it follows do not pair up."""
ELLIPSIS = "…"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_FORMATTING = frozenset("*_~`")
_EMOJI = re.compile(r":(?=[\w+'-]+:)")


def size(text: str) -> int:
    """Return the length as Slack may count it: in UTF-16 units, of which an emoji has two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def one_line(text: object) -> str:
    """Return the text without line breaks and control characters."""
    words = "".join(each if each.isprintable() else " " for each in str(text))
    return " ".join(words.split())


def plain(text: object, limit: int, *, empty: str = "-") -> str:
    """Return one line of plain text within the limit; never empty, which Slack refuses."""
    return _within(one_line(text), limit) or empty


def outside(text: object, limit: int) -> str:
    """Return text from outside for mrkdwn: no mention, link, emoji or formatting survives.

    The limit holds for the escaped text, and nothing is cut in the middle of an entity.
    """
    return _within((_escaped(sign) for sign in _EMOJI.sub(":" + MARK, one_line(text))), limit)


def escape(text: str) -> str:
    """Escape text from outside for mrkdwn, whatever its length."""
    return "".join(_escaped(each) for each in text)


def lines_within(lines: Iterable[str], limit: int) -> str:
    """Return as many whole lines as fit; an ellipsis stands for the rest."""
    kept: list[str] = []
    room = limit - 2
    for line in lines:
        room -= size(line) + 1
        if room < 0:
            return "\n".join([*kept, ELLIPSIS])
        kept.append(line)
    return "\n".join(kept)


def moment(at: datetime) -> str:
    """Return a time that Slack shows in the reader's own zone, with UTC for everyone else."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"


def _escaped(sign: str) -> str:
    if sign in _FORMATTING:
        return sign + MARK
    return _ENTITIES.get(sign, sign)


def _within(pieces: Iterable[str], limit: int) -> str:
    """Return as many whole pieces as fit; an ellipsis stands for the rest."""
    kept: list[str] = []
    room = limit
    for piece in pieces:
        needed = 1 if len(piece) == 1 and piece < "\U00010000" else size(piece)
        if needed > room:
            while kept and room < 1:
                room += size(kept.pop())
            return "".join([*kept, ELLIPSIS])
        room -= needed
        kept.append(piece)
    return "".join(kept)
