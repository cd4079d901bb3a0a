"""GitLab's webhooks: deployments, releases and feature flags become changes.

With a signing token the delivery is signed and dated as Standard Webhooks asks; without one a
shared token is all that GitLab offers, and the body is not protected beyond TLS.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from integrations.gitlab.settings import GitLabSettings
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
from integrations.signatures import standard_headers, verify_standard, verify_token
from recoup.domain.base import Moment
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.ids import derive_id

_FORMS = ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S UTC")


def _time(value: Any) -> Any:
    """Read GitLab's own way to write a time; leave ISO 8601 to whoever asked."""
    for form in _FORMS if isinstance(value, str) else ():
        try:
            moment = datetime.strptime(value, form)  # noqa: DTZ007 - the next line sees to it
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


Time = Annotated[Moment, BeforeValidator(_time)]


class _Project(Payload):
    path_with_namespace: str


class _User(Payload):
    username: str = ""
    name: str = ""


class _Flag(Payload):
    id: int
    name: str
    active: bool


class _Body(Payload):
    object_kind: str = ""
    project: _Project | None = None
    user: _User = _User()
    status: str = ""
    status_changed_at: Time | None = None
    deployment_id: int | None = None
    environment: str = ""
    environment_tier: str | None = None
    short_sha: str = ""
    ref: str = ""
    commit_title: str | None = None
    object_attributes: dict[str, Any] | None = None
    id: int | None = None
    action: str = ""
    tag: str = ""
    released_at: Time | None = None


def read(settings: GitLabSettings, delivery: Delivery) -> Received:
    """Return the change that a delivery tells of, if it is one."""
    _verify(settings, delivery)
    body = parse(_Body, delivery.body)
    make = _MAKERS.get(body.object_kind)
    if make is None or body.project is None:
        return Received()
    change = make(settings, body, body.project.path_with_namespace, delivery)
    return Received([change] if change else [])


def _verify(settings: GitLabSettings, delivery: Delivery) -> None:
    if settings.signing_token is not None:
        secret = settings.signing_token.get_secret_value()
        verify_standard((secret,), delivery.headers, delivery.body, delivery.now.timestamp())
        return
    secret = secret_of(settings, "webhook_token")
    verify_token(secret, delivery.headers.get("x-gitlab-token", ""))


def _deployment(
    settings: GitLabSettings, body: _Body, project: str, delivery: Delivery
) -> Change | None:
    names = {body.environment, body.environment_tier}
    wanted = not settings.environments or names.intersection(settings.environments)
    if body.status != "success" or body.deployment_id is None or not wanted:
        return None
    what = f"{body.ref} {body.short_sha} {body.commit_title or ''}"
    return Change(
        id=change_id("gitlab", "deployment", project, body.deployment_id),
        kind=ChangeKind.DEPLOY,
        time=body.status_changed_at or delivery.now,
        title=title_of(f"{project} {what} to {body.environment} (by {_who(body)})"),
        ref=body.short_sha[:500],
        by=body.user.username[:200],
    )


def _release(
    _settings: GitLabSettings, body: _Body, project: str, delivery: Delivery
) -> Change | None:
    if body.action != "create" or not body.tag:
        return None
    return Change(
        id=change_id("gitlab", "release", project, body.tag),
        kind=ChangeKind.DEPLOY,
        time=body.released_at or delivery.now,
        title=title_of(f"{project} release {body.tag}"),
        ref=body.tag[:500],
    )


def _flag(_settings: GitLabSettings, body: _Body, project: str, delivery: Delivery) -> Change:
    """Return the switch of a flag; GitLab does not say when it was, so it was just now."""
    flag = part(_Flag, body.object_attributes)
    occasion = next(
        (delivery.headers[name] for name in _OCCASIONS if delivery.headers.get(name)),
        derive_id("body", delivery.body, f"{delivery.now:%F %H:%M}"),
    )
    verb = "on" if flag.active else "off"
    return Change(
        id=change_id("gitlab", "flag", project, flag.id, occasion),
        kind=ChangeKind.FLAG,
        time=delivery.now,
        title=title_of(f"{project} flag {flag.name} turned {verb} (by {_who(body)})"),
        ref=flag.name[:500],
        by=body.user.username[:200],
    )


def _who(body: _Body) -> str:
    return body.user.username or body.user.name or "somebody"


_OCCASIONS = ("webhook-id", "idempotency-key", "x-gitlab-event-uuid")
_MAKERS = {"deployment": _deployment, "release": _release, "feature_flag": _flag}


def sign(settings: GitLabSettings, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    if settings.signing_token is None:
        return {"x-gitlab-token": secret_of(settings, "webhook_token")}
    return standard_headers(settings.signing_token.get_secret_value(), body, now)


WEBHOOK = Webhook(
    name="gitlab",
    section=GitLabSettings,
    summary="Take in a deployment, a release or a flag from GitLab",
    read=read,
    sign=sign,
)
