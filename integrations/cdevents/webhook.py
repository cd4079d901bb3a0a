"""CDEvents over the HTTP binding of CloudEvents: services that went out become changes.

Both modes are taken: binary (the CDEvent is the body) and structured (it is ``data`` in a
CloudEvent). Types are matched with their major version; a type of a version that is not known
here is passed over and said so in the log, since a guess could blame the wrong change.
"""

import re
from datetime import datetime
from typing import Any

import structlog

from integrations.cdevents.settings import CDEventsSettings
from integrations.inbound import (
    Delivery,
    Payload,
    Received,
    Webhook,
    change_id,
    parse,
    part,
    secret_of,
    title_of,
)
from integrations.signatures import verify_bearer
from recoup.domain.base import Moment
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import InvalidInput

_KINDS = {
    "service.deployed": ChangeKind.DEPLOY,
    "service.upgraded": ChangeKind.DEPLOY,
    "service.rolledback": ChangeKind.DEPLOY,
    "service.removed": ChangeKind.DEPLOY,
    "environment.modified": ChangeKind.CONFIG,
}
_TYPE = re.compile(r"dev\.cdevents\.([a-z]+\.[a-z]+)\.(\d+)\.\d+\.\d+(?:-[\w.]+)?")
_KNOWN_MAJOR = "0"

_log = structlog.get_logger()


class _Context(Payload):
    id: str
    source: str
    type: str
    timestamp: Moment


class _Reference(Payload):
    id: str = ""


class _Content(Payload):
    environment: _Reference = _Reference()
    artifactId: str = ""  # noqa: N815 - as the specification spells it
    name: str = ""


class _Subject(Payload):
    id: str
    content: _Content = _Content()


class CDEvent(Payload):
    """The part of a CDEvent that is read here."""

    context: _Context
    subject: _Subject


class _CloudEvent(Payload):
    specversion: str
    data: dict[str, Any]


def read(settings: CDEventsSettings, delivery: Delivery) -> Received:
    """Return the change that a CDEvent tells of, if it is one."""
    verify_bearer(secret_of(settings, "webhook_token"), delivery.headers)
    event = _event_of(delivery)
    kind = _kind_of(event.context.type)
    environment = event.subject.content.environment.id
    wanted = not settings.environments or environment in settings.environments
    if kind is None or not wanted:
        return Received()
    verb = event.context.type.split(".")[3]
    where = f" in {environment}" if environment else ""
    name = event.subject.content.name or event.subject.id
    change = Change(
        id=change_id("cdevents", event.context.source, event.context.id),
        kind=kind,
        time=event.context.timestamp,
        title=title_of(f"{name} {verb}{where}"),
        ref=event.subject.content.artifactId[:500],
    )
    return Received([change])


def _event_of(delivery: Delivery) -> CDEvent:
    content_type = delivery.headers.get("content-type", "").partition(";")[0].strip()
    if content_type.startswith("application/cloudevents-batch"):
        raise InvalidInput("batches of CloudEvents are not taken; send them one by one")
    if content_type != "application/cloudevents+json":
        return parse(CDEvent, delivery.body)
    return part(CDEvent, parse(_CloudEvent, delivery.body).data)


def _kind_of(name: str) -> ChangeKind | None:
    match = _TYPE.fullmatch(name)
    if match is None or match[1] not in _KINDS:
        return None
    if match[2] != _KNOWN_MAJOR:
        _log.warning("cdevents.version_not_known", type=name)
        return None
    return _KINDS[match[1]]


def sign(settings: CDEventsSettings, _body: bytes, _now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    return {"authorization": f"Bearer {secret_of(settings, 'webhook_token')}"}


WEBHOOK = Webhook(
    name="cdevents",
    section=CDEventsSettings,
    summary="Take in a CDEvent in its CloudEvents binding",
    read=read,
    sign=sign,
)
