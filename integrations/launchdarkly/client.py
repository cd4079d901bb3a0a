"""LaunchDarkly's REST API as a FlagControl: semantic patches, compare and set, never blind."""

from typing import Any
from urllib.parse import quote

import httpx

from integrations.http import VendorHttp, json_of
from integrations.launchdarkly.settings import LaunchDarklySettings
from recoup.domain.errors import (
    ConfigurationError,
    StateMoved,
    TransientVendorError,
    VendorNeedsApproval,
    VendorRefused,
)
from recoup.domain.ports import FlagState

VENDOR = "LaunchDarkly"
API_VERSION = "20240415"
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
LONGEST_COMMENT = 500


class LaunchDarklyFlags:
    """Reads and switches flags; a switch is refused when somebody changed the flag meanwhile."""

    def __init__(self, settings: LaunchDarklySettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, project: str, environment: str, key: str) -> FlagState:
        """Return the flag's state in the environment."""
        answer = await self._send("GET", project, environment, key, params={"env": environment})
        return _state(project, environment, json_of(VENDOR, answer))

    async def preview(self, state: FlagState, *, on: bool, comment: str) -> FlagState:
        """Return the flag as LaunchDarkly says it would be; nothing is stored."""
        answer = await self._patch(state, on, comment, dry_run=True)
        return _state(state.project, state.environment, json_of(VENDOR, answer))

    async def switch(
        self, state: FlagState, *, on: bool, comment: str, idempotency_key: str
    ) -> FlagState:
        """Turn the flag on or off if it still has ``state.version``; return the new state.

        When the answer is lost, the flag is read again rather than switched again. Raises
        StateMoved, VendorNeedsApproval, or what ``VendorHttp.request`` raises.
        """
        present = await self.read(state.project, state.environment, state.key)
        _expect(present, state)
        if present.on == on:
            return present
        try:
            answer = await self._patch(state, on, f"{comment} [{idempotency_key}]")
        except TransientVendorError as error:
            return await self._after_lost_answer(state, on, error)
        except VendorRefused as error:
            if error.kind == "conflict":
                raise StateMoved(f"flag {state.key} is being changed by somebody else") from error
            raise
        return _state(state.project, state.environment, json_of(VENDOR, answer))

    async def request_approval(
        self, state: FlagState, *, on: bool, description: str, idempotency_key: str
    ) -> str:
        """Ask for LaunchDarkly's own approval of the switch; return the request's id."""
        path = (
            f"/api/v2/projects/{_part(state.project)}/flags/{_part(state.key)}"
            f"/environments/{_part(state.environment)}/approval-requests"
        )
        body = {
            "description": f"{description} [{idempotency_key}]"[:LONGEST_COMMENT],
            "instructions": [_instruction(on)],
        }
        answer = await self._call("POST", path, json=body)
        return str(json_of(VENDOR, answer).get("_id", ""))

    async def _after_lost_answer(
        self, state: FlagState, on: bool, error: TransientVendorError
    ) -> FlagState:
        """Find out what became of a switch whose answer did not arrive."""
        present = await self.read(state.project, state.environment, state.key)
        if present.on == on and present.version == state.version + 1:
            return present
        _expect(present, state)
        raise error

    async def _patch(
        self, state: FlagState, on: bool, comment: str, *, dry_run: bool = False
    ) -> httpx.Response:
        body = {
            "environmentKey": state.environment,
            "comment": comment[:LONGEST_COMMENT],
            "instructions": [_instruction(on)],
        }
        params = {"dryRun": "true"} if dry_run else {}
        try:
            return await self._send(
                "PATCH",
                state.project,
                state.environment,
                state.key,
                json=body,
                params=params,
                headers={"Content-Type": SEMANTIC_PATCH},
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
        return await self._call(method, f"/api/v2/flags/{_part(project)}/{_part(key)}", **options)

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


def _instruction(on: bool) -> dict[str, str]:
    return {"kind": "turnFlagOn" if on else "turnFlagOff"}


def _expect(present: FlagState, wanted: FlagState) -> None:
    if present.version != wanted.version:
        raise StateMoved(
            f"flag {wanted.key} has version {present.version} now, not {wanted.version}"
        )


def _part(text: str) -> str:
    return quote(text, safe="")


def _state(project: str, environment: str, flag: dict[str, Any]) -> FlagState:
    """Translate LaunchDarkly's flag; indexes of variations become their values."""
    try:
        config = flag["environments"][environment]
        return FlagState(
            project=project,
            environment=environment,
            key=flag["key"],
            on=config["on"],
            version=config["version"],
            name=str(flag.get("name") or ""),
            extra={
                "archived": bool(flag.get("archived", False)),
                "off_value": _value(flag, config.get("offVariation")),
                "on_value": _value(flag, (config.get("fallthrough") or {}).get("variation")),
            },
        )
    except (KeyError, TypeError) as error:
        raise VendorRefused(
            f"{VENDOR} answered without {error} for {environment}", kind="not_found"
        ) from error


def _value(flag: dict[str, Any], index: int | None) -> Any:
    variations = flag.get("variations") or []
    if index is None or not 0 <= index < len(variations):
        return None
    return variations[index].get("value")
