"""Notifications of Argo CD and Argo Rollouts: what went out is a change.

Argo renders the body from a template of yours, so its shape is ours to define; the template is in
``docs/ci/argo-notifications.yaml``. Argo cannot sign; it sends a bearer token.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from integrations.argo.settings import ArgoSettings
from integrations.inbound import (
    Delivery,
    Payload,
    Received,
    Webhook,
    change_id,
    parse,
    secret_of,
    title_of,
)
from integrations.signatures import verify_bearer
from recoup.domain.base import Moment
from recoup.domain.changes import Change, ChangeKind

DONE = ("Succeeded", "Healthy")


class ArgoNotice(Payload):
    """The body that the template renders."""

    kind: Literal["application", "rollout"]
    name: str = Field(min_length=1)
    namespace: str | None = None
    phase: str
    revision: str | None = None
    finished_at: Moment | None = None
    images: list[str] | None = None
    by: str | None = None


def read(settings: ArgoSettings, delivery: Delivery) -> Received:
    """Return the change that a notification tells of, if something went out."""
    verify_bearer(secret_of(settings, "webhook_token"), delivery.headers)
    notice = parse(ArgoNotice, delivery.body)
    wanted = not settings.namespaces or notice.namespace in settings.namespaces
    if notice.phase not in DONE or not wanted:
        return Received()
    time = notice.finished_at or delivery.now
    revision = notice.revision or ""
    occasion = f"{time:%Y%m%dT%H%M%SZ}" if notice.finished_at else ""
    what = ", ".join(image.rpartition("/")[2] for image in notice.images or ()) or revision[:10]
    by = f" (by {notice.by})" if notice.by else ""
    change = Change(
        id=change_id("argo", notice.kind, notice.namespace, notice.name, revision, occasion),
        kind=ChangeKind.DEPLOY,
        time=time,
        title=title_of(f"{notice.name} {what} rolled out{by}"),
        ref=revision[:500],
        by=(notice.by or "")[:200],
    )
    return Received([change])


def sign(settings: ArgoSettings, _body: bytes, _now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    return {"authorization": f"Bearer {secret_of(settings, 'webhook_token')}"}


WEBHOOK = Webhook(
    name="argo",
    section=ArgoSettings,
    summary="Take in a sync of Argo CD or a rollout of Argo Rollouts",
    read=read,
    sign=sign,
)
