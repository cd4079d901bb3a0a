"""From what other systems tell of a visit to the storefront event of the contract.

Nothing is invented: what a source does not say is left out, and what is too long is cut, so that
one odd value does not cost the event.

An event source is one module, ``integrations/<name>/events.py``, that holds a ``SOURCE``; the api
role finds it and gives it its addresses.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from integrations.discovery import modules
from recoup.domain.errors import InvalidInput
from recoup.domain.ids import derive_id
from recoup.domain.series import LineProblem
from recoup.domain.storefront import MAX_DEPTH, MAX_DIMS, MAX_TEXT

LONGEST_SKEW = timedelta(days=2)
"""A queue on a phone may be this late; a larger difference is a clock nobody can correct."""

_AGENTS_KEPT = 4096
_CAMPAIGN = "utm_campaign"


@dataclass(frozen=True)
class Posted:
    """What a sender posted: where to, headers by lower-case name, query, body, and when."""

    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    received: datetime


@dataclass
class Mapped:
    """What a body came to: events of the contract, and why other parts of it are none."""

    events: list[dict[str, Any]] = field(default_factory=list)
    problems: list[LineProblem] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """How the events of one kind of sender are known and read.

    ``key_of`` returns the write key that came along, ``read`` raises InvalidInput for a body that
    cannot be read at all, and ``answer`` is what the senders expect: status, body, media type.
    """

    name: str
    paths: tuple[str, ...]
    summary: str
    key_of: Callable[[Posted], str]
    read: Callable[[Posted], Mapped]
    answer: tuple[int, str, str]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})


P = TypeVar("P", bound=BaseModel)


def sources() -> dict[str, Source]:
    """Return every event source of this package by name."""
    return {module.SOURCE.name: module.SOURCE for module in modules("events")}


def json_object(body: bytes) -> dict[str, Any]:
    """Return the body's JSON object. Raises InvalidInput when it is something else."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput("the body is not a JSON object")
    return found


def list_in(found: dict[str, Any], name: str, most: int) -> list[Any]:
    """Return a list of the body. Raises InvalidInput when it is none or too long."""
    items = found.get(name)
    if not isinstance(items, list):
        raise InvalidInput(f"{name}: must be a list")
    if len(items) > most:
        raise InvalidInput(f"{name}: has more than {most} entries")
    return items


def each(
    items: list[Any], model: type[P], make: Callable[[P, int], dict[str, Any] | None]
) -> Mapped:
    """Map items one by one; a bad one is a problem with its number and costs no other."""
    mapped = Mapped()
    for number, item in enumerate(items, 1):
        try:
            made = make(model.model_validate(item), number)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            mapped.problems.append(LineProblem(number, where, first["msg"]))
        else:
            if made is not None:
                mapped.events.append(made)
    return mapped


def snake(name: str) -> str:
    """Return a name as the contract writes types: ``Order Completed`` is ``order_completed``."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^0-9a-z]+", "_", parted.lower()).strip("_") or "unnamed"


def session_of(*parts: str) -> str:
    """Return a session's name that does not give away the cookie it is made of."""
    return derive_id("s", *parts)


def event(
    event_id: str,
    kind: str,
    time: datetime,
    session: str,
    *,
    user: str = "",
    dims: Mapping[str, str] | None = None,
    props: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event as ``POST /v1/events`` takes it; empty dims and props are left out."""
    made: dict[str, Any] = {
        "id": short_id(event_id),
        "type": kind[:MAX_TEXT],
        "time": time.isoformat(timespec="milliseconds"),
        "session": short_id(session),
    }
    if user:
        made["user"] = short_id(user)
    filled = {name[:MAX_TEXT]: text[:MAX_TEXT] for name, text in (dims or {}).items() if text}
    if filled:
        made["dims"] = dict(list(filled.items())[:MAX_DIMS])
    kept = {name: plain(value) for name, value in (props or {}).items() if value not in (None, "")}
    if kept:
        made["props"] = kept
    return made


def lines(events: list[dict[str, Any]]) -> bytes:
    """Return events as NDJSON, one a line, for the ingest."""
    return b"\n".join(json.dumps(one).encode() for one in events)


def short_id(text: str) -> str:
    """Return an id that fits; a longer one becomes a digest of itself, the same every time."""
    return text if len(text) <= MAX_TEXT else derive_id("id", text)


def corrected(time: datetime, sent: datetime | None, received: datetime) -> datetime:
    """Return when it was by the clock here, given the sender's clock at the moment of sending."""
    if sent is None:
        return time
    skew = received - sent
    if abs(skew) > LONGEST_SKEW:
        return time
    return time + skew


def plain(value: Any, depth: int = 1) -> Any:
    """Return a JSON value no deeper than an event may be, without numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return None
        return {str(name): plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, depth + 1) for inner in value] if depth < MAX_DEPTH else None
    return value


def dims_of(user_agent: str, url: str = "") -> dict[str, str]:
    """Return device, os and browser of a user agent, and the campaign of an address."""
    return {**_agent(user_agent[:1000]), "campaign": campaign_of(url)}


def campaign_of(url: str) -> str:
    """Return ``utm_campaign`` of an address, or nothing."""
    try:
        found = parse_qs(urlsplit(url).query, max_num_fields=100)
    except ValueError:
        return ""
    return found.get(_CAMPAIGN, [""])[0]


@lru_cache(maxsize=_AGENTS_KEPT)
def _agent(user_agent: str) -> dict[str, str]:
    if not user_agent:
        return {}
    from ua_parser import parse

    found = parse(user_agent)
    os_name = " ".join(filter(None, (found.os.family, found.os.major))) if found.os else ""
    browser = found.user_agent.family if found.user_agent else ""
    return {"device": _device(user_agent), "os": os_name, "browser": browser}


def _device(user_agent: str) -> str:
    """Return the sort of device, as the tracker would."""
    if "iPad" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if "Mobi" in user_agent else "desktop"
