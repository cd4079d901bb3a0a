"""LaunchDarkly's own approvals: asked for, looked at, applied once given, taken back."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import httpx

from integrations.http import json_of
from integrations.parts import path_part
from recoup.domain.errors import StateMoved, TransientVendorError, VendorRefused
from recoup.domain.ports import FlagState, VendorReview

VENDOR = "LaunchDarkly"
Call = Callable[..., Awaitable[httpx.Response]]
Status = Literal["pending", "approved", "applied", "declined", "withdrawn"]


class Reviews:
    """Approval requests of one flag in one environment."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def ask(
        self, state: FlagState, instructions: list[dict[str, Any]], words: str, key: str
    ) -> VendorReview:
        """Make a request; a repeat returns the one whose description carries the key."""
        known = await self._find(state, key)
        if known is not None:
            return known
        body = {"description": words, "comment": words, "instructions": instructions}
        try:
            answer = await self._call("POST", _path(state), json=body)
        except TransientVendorError:
            known = await self._find(state, key)
            if known is None:
                raise
            return known
        return _review(json_of(VENDOR, answer))

    async def look(self, state: FlagState, review_id: str) -> VendorReview:
        """Return where a request stands; an approved one is applied."""
        path = f"{_path(state)}/{path_part(review_id)}"
        try:
            review = _review(json_of(VENDOR, await self._call("GET", path)))
        except VendorRefused as error:
            if error.kind == "not_found":
                return VendorReview(review_id=review_id, status="withdrawn")
            raise
        return await self._apply(state, review) if review.status == "approved" else review

    async def withdraw(self, state: FlagState, review_id: str) -> None:
        """Delete a request; one that is gone already is as good."""
        try:
            await self._call("DELETE", f"{_path(state)}/{path_part(review_id)}", repeatable=True)
        except VendorRefused as error:
            if error.kind != "not_found":
                raise

    async def _apply(self, state: FlagState, review: VendorReview) -> VendorReview:
        path = f"{_path(state)}/{path_part(review.review_id)}"
        try:
            answer = await self._call("POST", f"{path}/apply", json={})
        except TransientVendorError:
            # Applied or not: the next look tells, because an applied request is completed.
            return _review(json_of(VENDOR, await self._call("GET", path)))
        except VendorRefused as error:
            if error.kind == "conflict":
                raise StateMoved(
                    f"flag {state.key} changed since its approval was asked for"
                ) from error
            raise
        return _review(json_of(VENDOR, answer))

    async def _find(self, state: FlagState, key: str) -> VendorReview | None:
        answer = json_of(VENDOR, await self._call("GET", _path(state)))
        for each in answer.get("items") or []:
            if isinstance(each, dict) and f"[{key}]" in str(each.get("description", "")):
                return _review(each)
        return None


def _path(state: FlagState) -> str:
    return (
        f"/api/v2/projects/{path_part(state.project)}/flags/{path_part(state.key)}"
        f"/environments/{path_part(state.environment)}/approval-requests"
    )


def _review(body: dict[str, Any]) -> VendorReview:
    if "_id" not in body:
        raise VendorRefused(f"{VENDOR} answered an approval request without an id")
    return VendorReview(review_id=str(body["_id"]), status=_status(body))


def _status(body: dict[str, Any]) -> Status:
    """Translate the two fields in which LaunchDarkly keeps a request's review and its execution."""
    execution, review = str(body.get("status", "")), str(body.get("reviewStatus", ""))
    if execution == "completed":
        return "applied"
    if execution == "failed" or review == "declined":
        return "declined"
    return "approved" if review == "approved" else "pending"
