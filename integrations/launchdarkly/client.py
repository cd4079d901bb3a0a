"""LaunchDarkly's REST API as a FlagControl: semantic patches, compare and set, never blind."""

from typing import Any

import httpx

from integrations.http import VendorHttp, json_of
from integrations.launchdarkly.flags import instructions, read_flag
from integrations.launchdarkly.reviews import Reviews
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.parts import path_part
from recoup.domain.errors import (
    ConfigurationError,
    StateMoved,
    TransientVendorError,
    VendorNeedsApproval,
    VendorRefused,
)
from recoup.domain.ports import FlagState, VendorReview

VENDOR = "LaunchDarkly"
API_VERSION = "20240415"
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
LONGEST_COMMENT = 500


class LaunchDarklyFlags:
    """Reads and changes flags; a change is refused when somebody changed the flag meanwhile."""

    def __init__(self, settings: LaunchDarklySettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http
        self._reviews = Reviews(self._call)

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        """Return the flag's state in the environment."""
        answer = await self._send("GET", project, environment, key, params={"env": environment})
        return read_flag(VENDOR, project, environment, json_of(VENDOR, answer))

    async def dependents(self, state: FlagState) -> tuple[str, ...] | None:
        """Return the flags that have this one as a prerequisite; None without that entitlement."""
        path = (
            f"/api/v2/flags/{path_part(state.project)}/{path_part(state.environment)}"
            f"/{path_part(state.key)}/dependent-flags"
        )
        try:
            answer = await self._call("GET", path, headers={"LD-API-Version": "beta"})
        except VendorRefused:
            return None
        items = json_of(VENDOR, answer).get("items") or []
        return tuple(sorted(str(each.get("key", "")) for each in items if isinstance(each, dict)))

    async def rehearse(
        self, state: FlagState, *, on: bool | None = None, serving: dict[str, Any] | None = None
    ) -> None:
        """Let LaunchDarkly validate the change; nothing is stored."""
        await self._patch(state, instructions(state, on, serving), "rehearsal", dry_run=True)

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        """Turn the flag on or off if it still has ``state.version``; return the new state.

        When the answer is lost, the flag is read again rather than switched again. Raises
        StateMoved, VendorNeedsApproval, or what ``VendorHttp.request`` raises.
        """
        return await self._change(state, {"on": on}, f"{comment} [{idempotency_key}]")

    async def serve(
        self, state: FlagState, *, serving: dict[str, Any], comment: str, idempotency_key: str
    ) -> FlagState:
        """Serve something else where no rule says otherwise, under the same conditions."""
        return await self._change(state, {"serving": serving}, f"{comment} [{idempotency_key}]")

    async def ask(
        self,
        state: FlagState,
        *,
        on: bool | None = None,
        serving: dict[str, Any] | None = None,
        description: str,
        idempotency_key: str,
    ) -> VendorReview:
        """Ask for LaunchDarkly's own approval; a repeat finds the request by its key."""
        words = f"{description[:LONGEST_COMMENT]} [{idempotency_key}]"
        found = await self._reviews.ask(
            state, instructions(state, on, serving), words, idempotency_key
        )
        return found.model_copy(update={"url": self._page_of(state)})

    async def look(self, state: FlagState, review_id: str) -> VendorReview:
        """Return where the request stands; one that was approved is applied first."""
        found = await self._reviews.look(state, review_id)
        return found.model_copy(update={"url": self._page_of(state)})

    async def withdraw(self, state: FlagState, review_id: str) -> None:
        """Delete a request that nobody decided yet."""
        await self._reviews.withdraw(state, review_id)

    async def _change(self, state: FlagState, change: dict[str, Any], comment: str) -> FlagState:
        present = await self.read(state.project, state.environment, state.key)
        _expect(present, state)
        if _is_so(present, change):
            return present
        wanted = instructions(present, change.get("on"), change.get("serving"))
        try:
            answer = await self._patch(state, wanted, comment)
        except TransientVendorError as error:
            return await self._after_lost_answer(state, change, error)
        except VendorRefused as error:
            if error.kind == "conflict":
                raise StateMoved(f"flag {state.key} is being changed by somebody else") from error
            raise
        return read_flag(VENDOR, state.project, state.environment, json_of(VENDOR, answer))

    async def _after_lost_answer(
        self, state: FlagState, change: dict[str, Any], error: TransientVendorError
    ) -> FlagState:
        """Find out what became of a change whose answer did not arrive."""
        present = await self.read(state.project, state.environment, state.key)
        if _is_so(present, change) and present.version == state.version + 1:
            return present
        _expect(present, state)
        raise error

    async def _patch(
        self,
        state: FlagState,
        wanted: list[dict[str, Any]],
        comment: str,
        *,
        dry_run: bool = False,
    ) -> httpx.Response:
        body = {
            "environmentKey": state.environment,
            "comment": comment[:LONGEST_COMMENT],
            "instructions": wanted,
        }
        try:
            return await self._send(
                "PATCH",
                state.project,
                state.environment,
                state.key,
                json=body,
                params={"dryRun": "true"} if dry_run else {},
                headers={"Content-Type": SEMANTIC_PATCH},
                repeatable=dry_run,
            )
        except VendorRefused as error:
            if error.kind == "needs_approval":
                raise VendorNeedsApproval(
                    f"{VENDOR} wants its own approval before {state.key} changes "
                    f"in {state.environment}"
                ) from error
            raise

    async def _send(
        self, method: str, project: str, environment: str, key: str, **options: Any
    ) -> httpx.Response:
        self._check_scope(project, environment)
        path = f"/api/v2/flags/{path_part(project)}/{path_part(key)}"
        return await self._call(method, path, **options)

    async def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        token = self._token()
        headers = {
            "Authorization": token,
            "LD-API-Version": API_VERSION,
            **options.pop("headers", {}),
        }
        url = self._settings.base_uri.rstrip("/") + path
        return await self._http.request(
            VENDOR, method, url, headers=headers, secrets=(token,), **options
        )

    def _check_scope(self, project: str, environment: str) -> None:
        """Refuse what lies outside the configured project and environment."""
        allowed = (self._settings.project, self._settings.environment)
        if (project, environment) != allowed:
            raise VendorRefused(
                f"Recoup is configured for {allowed[0]}/{allowed[1]} only, "
                f"not for {project}/{environment}",
                kind="forbidden",
            )

    def _token(self) -> str:
        if self._settings.api_token is None:
            raise ConfigurationError(
                "LaunchDarkly is not configured; set RECOUP_LAUNCHDARKLY_API_TOKEN"
            )
        return self._settings.api_token.get_secret_value()

    def _page_of(self, state: FlagState) -> str:
        """Return the page on which people give LaunchDarkly's own approval."""
        parts = (state.project, state.environment, state.key)
        project, environment, key = map(path_part, parts)
        root = self._settings.base_uri.rstrip("/")
        return f"{root}/projects/{project}/flags/{key}/targeting?env={environment}"


def _is_so(present: FlagState, change: dict[str, Any]) -> bool:
    if change.get("on") is not None and present.on != change["on"]:
        return False
    return change.get("serving") is None or present.serving == change["serving"]


def _expect(present: FlagState, wanted: FlagState) -> None:
    if present.version != wanted.version:
        raise StateMoved(
            f"flag {wanted.key} has version {present.version} now, not {wanted.version}"
        )
