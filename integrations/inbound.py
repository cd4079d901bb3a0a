"""What vendors send in: found by itself, verified over the raw bytes, read into our own words.

A vendor's webhook is one module, ``integrations/<vendor>/webhook.py``, that holds a ``WEBHOOK``.
Nothing else is edited: the walk over this package finds it, the api role gives it the address
``/hooks/<name>``, and the conformance suite tests it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from integrations.discovery import modules
from recoup.domain.changes import Change
from recoup.domain.clock import Clock
from recoup.domain.errors import ConfigurationError, InvalidInput, NotAllowed
from recoup.domain.ids import derive_id
from recoup.settings import PREFIX, Section, Settings

OLDEST = timedelta(days=7)
"""Vendors repeat a delivery for hours, some for three days; what is older was kept for a replay."""

LONGEST_ID = 200
LONGEST_TITLE = 500
Event = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One request of a vendor: headers by lower-case name, the raw body, and when it came."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True)
class Received:
    """What a delivery told: changes of the shop, storefront events, or nothing of interest."""

    changes: list[Change] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Webhook:
    """How one vendor's deliveries are verified and read.

    ``read`` gets the vendor's section of settings. It raises NotAllowed for what is not signed as
    the section says, InvalidInput for a body that is not the vendor's. ``sign`` returns the headers
    with which the vendor would send a body at a moment; rehearsals and tests use it.
    """

    name: str
    section: type[Section]
    summary: str
    read: Callable[[Any, Delivery], Received]
    sign: Callable[[Any, bytes, datetime], dict[str, str]]


Reader = Callable[[Mapping[str, str], bytes], Received]


class Payload(BaseModel):
    """The part of a vendor's body that is read here; whatever else it holds is passed over.

    A field that is null says no more than one that is missing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: inner for name, inner in value.items() if inner is not None}


P = TypeVar("P", bound=BaseModel)


def webhooks() -> dict[str, Webhook]:
    """Return every webhook of this package by name.

    Raises ConfigurationError when two modules claim one name.
    """
    found: dict[str, Webhook] = {}
    for module in modules("webhook"):
        webhook: Webhook = module.WEBHOOK
        if webhook.name in found:
            raise ConfigurationError(
                f"two webhooks are named {webhook.name!r}; one is in {module.__name__}"
            )
        found[webhook.name] = webhook
    return found


def readers(settings: Settings, clock: Clock) -> dict[str, Reader]:
    """Return, by vendor, what turns the headers and the body of a delivery into our own words."""

    def reader(webhook: Webhook) -> Reader:
        section = settings.section(webhook.section)

        def read(headers: Mapping[str, str], body: bytes) -> Received:
            received = webhook.read(section, Delivery(headers, body, clock.now()))
            _refuse_old(received, clock.now())
            return received

        return read

    return {name: reader(webhook) for name, webhook in webhooks().items()}


def _refuse_old(received: Received, now: datetime) -> None:
    for change in received.changes:
        if change.time < now - OLDEST:
            raise NotAllowed(
                f"{change.id} is of {change.time:%F}: a delivery that old is taken for a replay"
            )


def secret_of(section: Section, name: str) -> str:
    """Return a secret of a vendor's section. Raises NotAllowed that says how to set it."""
    value = getattr(section, name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else ""
    if not text:
        variable = f"{PREFIX}{section.section_name}_{name}".upper()
        raise NotAllowed(
            f"nothing can be verified: set {variable}, or {name} under [{section.section_name}], "
            "to the secret that was given to the vendor"
        )
    return text


def parse(model: type[P], body: bytes | str) -> P:
    """Return a vendor's body. Raises InvalidInput that names the field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from error


def part(model: type[P], value: object) -> P:
    """Return a part of a body that was read already. Raises InvalidInput that names the field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: ValidationError) -> InvalidInput:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return InvalidInput(f"{where or 'the body'}: {first['msg']}")


def change_id(vendor: str, *parts: object) -> str:
    """Return the id of a change: the vendor's own words where they fit, so that people know it."""
    text = ":".join([vendor, *(str(one) for one in parts)])
    if len(text) <= LONGEST_ID and text.isprintable():
        return text
    return derive_id(vendor, *parts)


def title_of(text: str) -> str:
    """Return a title on one line, no longer than a title may be."""
    return " ".join(text.split())[:LONGEST_TITLE]
