"""GitHub's webhooks: a deployment that succeeded, or a release, is a change.

The header that names the event is not signed, so the body alone decides what a delivery is. A
delivery that comes again, or is replayed, has the id of the first and counts once.
"""

from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from integrations.github.settings import GitHubSettings
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
from integrations.signatures import hmac_hex, verify_hex
from recoup.domain.base import Moment
from recoup.domain.changes import Change, ChangeKind


class _User(Payload):
    login: str = ""


class _Repository(Payload):
    full_name: str
    default_branch: str = ""
    pushed_at: datetime | None = None


class _Deployment(Payload):
    id: int
    sha: str = ""
    ref: str = ""
    environment: str = ""
    created_at: Moment
    creator: _User | None = None
    payload: dict[str, Any] = Field(default_factory=dict)

    @field_validator("payload", mode="before")
    @classmethod
    def _only_objects(cls, value: object) -> object:
        """Pass over a payload that is a text, as older clients send it."""
        return value if isinstance(value, dict) else {}


class _Status(Payload):
    state: str
    environment: str = ""
    created_at: Moment


class _Release(Payload):
    id: int
    tag_name: str
    name: str | None = None
    draft: bool = False
    prerelease: bool = False
    published_at: Moment | None = None


class _Commit(Payload):
    message: str = ""


class _Body(Payload):
    action: str = ""
    repository: _Repository | None = None
    sender: _User = _User()
    deployment: _Deployment | None = None
    deployment_status: _Status | None = None
    release: _Release | None = None
    ref: str = ""
    after: str = ""
    head_commit: _Commit | None = None


def read(settings: GitHubSettings, delivery: Delivery) -> Received:
    """Return the change that a delivery tells of, if it is one."""
    secret = secret_of(settings, "webhook_secret")
    given = delivery.headers.get("x-hub-signature-256", "")
    verify_hex(secret, delivery.body, given, prefix="sha256=")
    body = parse(_Body, delivery.body)
    if body.repository is None:
        return Received()
    for event, make in _MAKERS:
        if event in settings.events:
            change = make(settings, body, body.repository, delivery)
            if change is not None:
                return Received([change])
    return Received()


def _finished(
    settings: GitHubSettings, body: _Body, repository: _Repository, _delivery: Delivery
) -> Change | None:
    status = body.deployment_status
    if status is None or body.deployment is None or status.state != "success":
        return None
    return _deployed(settings, body, repository, body.deployment, status.created_at)


def _created(
    settings: GitHubSettings, body: _Body, repository: _Repository, _delivery: Delivery
) -> Change | None:
    if body.deployment is None or body.deployment_status is not None or body.action != "created":
        return None
    return _deployed(settings, body, repository, body.deployment, body.deployment.created_at)


def _deployed(
    settings: GitHubSettings,
    body: _Body,
    repository: _Repository,
    deployment: _Deployment,
    time: datetime,
) -> Change | None:
    if settings.environments and deployment.environment not in settings.environments:
        return None
    who = (deployment.creator or body.sender).login
    what = deployment.ref or deployment.sha[:10]
    told = {
        "id": change_id("github", "deployment", repository.full_name, deployment.id),
        "kind": ChangeKind.DEPLOY,
        "time": time,
        "title": title_of(
            f"{repository.full_name} {what} to {deployment.environment} (by {who or 'somebody'})"
        ),
        "ref": deployment.sha[:LONGEST_REF],
        # Whoever made the deployment may say whom it touches and how it is undone.
        "scope": deployment.payload.get("scope") or {},
        "undo": deployment.payload.get("undo") or {},
        "by": who[:LONGEST_NAME],
    }
    return part(Change, told)


def _released(
    _settings: GitHubSettings, body: _Body, repository: _Repository, _delivery: Delivery
) -> Change | None:
    release = body.release
    if release is None or body.action != "published" or release.draft or release.prerelease:
        return None
    if release.published_at is None:
        return None
    return Change(
        id=change_id("github", "release", repository.full_name, release.id),
        kind=ChangeKind.DEPLOY,
        time=release.published_at,
        title=title_of(f"{repository.full_name} release {release.name or release.tag_name}"),
        ref=release.tag_name[:LONGEST_REF],
        by=body.sender.login[:LONGEST_NAME],
    )


def _pushed(
    _settings: GitHubSettings, body: _Body, repository: _Repository, delivery: Delivery
) -> Change | None:
    to_default = body.ref == f"refs/heads/{repository.default_branch}"
    if not (to_default and body.after and body.head_commit):
        return None
    first_line = body.head_commit.message.partition("\n")[0]
    return Change(
        id=change_id("github", "push", repository.full_name, body.after),
        kind=ChangeKind.DEPLOY,
        time=repository.pushed_at or delivery.now,
        title=title_of(f"{repository.full_name} {body.after[:10]} {first_line}"),
        ref=body.after[:LONGEST_REF],
        by=body.sender.login[:LONGEST_NAME],
    )


LONGEST_REF = 500
LONGEST_NAME = 200
_MAKERS = (
    ("deployment_status", _finished),
    ("deployment", _created),
    ("release", _released),
    ("push", _pushed),
)


def sign(settings: GitHubSettings, body: bytes, _now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    digest = hmac_hex(secret_of(settings, "webhook_secret"), body)
    return {"x-hub-signature-256": f"sha256={digest}"}


WEBHOOK = Webhook(
    name="github",
    section=GitHubSettings,
    summary="Take in a deployment or a release from GitHub",
    read=read,
    sign=sign,
)
