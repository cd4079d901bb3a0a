"""Calls an endpoint of the customer's own: for everything that has no integration of its own."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from playbooks.action import Action, ActionContext
from recoup.domain.base import Frozen
from recoup.domain.proposals import ActionPreview, ActionResult


class WebhookCallParams(Frozen):
    """Where to post what; ``undo_body`` is posted to take it back (empty: it cannot be)."""

    url: str = Field(min_length=1, max_length=2000)
    summary: str = Field(min_length=1, max_length=300)
    body: dict[str, Any] = Field(default_factory=dict)
    undo_body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https address")
        return url


class WebhookCall(Action[WebhookCallParams]):
    """Posts a signed message; a repeat carries the same key, so that it is not acted on twice."""

    name: ClassVar[str] = "webhook_call"
    title: ClassVar[str] = "Call an endpoint of your own"
    Params: ClassVar[type[Frozen]] = WebhookCallParams
    example: ClassVar[Mapping[str, Any]] = {
        "url": "https://shop.example/hook",
        "summary": "Disable it",
        "body": {"do": "disable"},
        "undo_body": {"do": "enable"},
    }

    async def preview(self, params: WebhookCallParams, context: ActionContext) -> ActionPreview:
        """Say what would be posted; a webhook has no state to read."""
        host = urlsplit(params.url).hostname or ""
        return ActionPreview(
            key=context.key,
            action=self.name,
            target=f"webhook:{host}{urlsplit(params.url).path}",
            summary=params.summary,
            after=params.body,
            touched=f"Whatever {host} does with it",
        )

    async def apply(
        self, params: WebhookCallParams, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Post the message under the action's key; a repeat carries the same key."""
        body = {**params.body, "incident_id": context.incident_id}
        answer = await context.webhooks.call(params.url, body, idempotency_key=context.key)
        return ActionResult(
            key=preview.key,
            action=self.name,
            target=preview.target,
            changed=True,
            state={"answer": answer},
            detail="the endpoint accepted it",
        )

    async def verify(
        self, params: WebhookCallParams, result: ActionResult, context: ActionContext
    ) -> bool:
        """Nothing can be read back; what was accepted counts as done."""
        del params, context
        return result.changed

    async def undo(
        self,
        params: WebhookCallParams,
        preview: ActionPreview,
        result: ActionResult,
        context: ActionContext,
    ) -> bool:
        """Post the undo message, when there is one."""
        del preview
        if not (result.changed and params.undo_body):
            return False
        body = {**params.undo_body, "incident_id": context.incident_id}
        key = f"{context.key}:undo"
        await context.webhooks.call(params.url, body, idempotency_key=key)
        return True
