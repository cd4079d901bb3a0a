"""GitHub deployments as a ReleaseControl: a rollback is a new deployment of an earlier commit.

Whoever listens to GitHub's ``deployment`` event carries it out. With ``workflow`` in the place,
that workflow is dispatched instead; its run is recognised by the action's key in its ``run-name``.
"""

import json
from typing import Any

from integrations.github.settings import GitHubSettings
from integrations.http import VendorHttp, json_of, list_of
from integrations.parts import path_part
from integrations.releases import Deployment, Phase, check_mark, state_of
from recoup.domain.errors import (
    ConfigurationError,
    StateMoved,
    TransientVendorError,
    VendorRefused,
)
from recoup.domain.ports import ReleasePlace, ReleaseState

VENDOR = "GitHub"
PLATFORM = "github"
API_VERSION = "2022-11-28"
KEY = "recoup_key"
LOOKED_AT = 30
LOOKED_INTO = 10
LONGEST_DESCRIPTION = 140
APPEARS_WITHIN_S = 10.0
"""How long a run that was started may take to show in the list."""
_PHASES: dict[str, Phase] = {
    "success": "live",
    "inactive": "live",
    "failure": "failed",
    "error": "failed",
}


class GitHubReleases:
    """Reads what runs from the deployments, and deploys an earlier commit."""

    def __init__(self, settings: GitHubSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, place: ReleasePlace) -> ReleaseState:
        """Return what runs in the environment."""
        return state_of(place, await self._history(place, await self._deployments(place)))

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        """Return the commit that a tag, branch or short id stands for."""
        found = await self._call("GET", place, f"commits/{path_part(name)}")
        return str(json_of(VENDOR, found).get("sha", ""))

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        """Ask for a deployment of the commit, once for each key."""
        place = state.place
        deployments = await self._deployments(place)
        known = await self._started(place, deployments, idempotency_key)
        if known is not None:
            return known
        check_mark(state, state_of(place, await self._history(place, deployments[:1])))
        if place.workflow:
            return await self._dispatch(state, version, idempotency_key, repeat)
        return await self._create(state, version, comment, idempotency_key)

    async def _create(
        self, state: ReleaseState, version: str, comment: str, key: str
    ) -> ReleaseState:
        body = {
            "ref": version,
            "environment": state.place.environment,
            "task": "deploy",
            "auto_merge": False,
            "required_contexts": [],
            "description": comment[:LONGEST_DESCRIPTION],
            "payload": {KEY: key},
        }
        try:
            answer = await self._call("POST", state.place, "deployments", json=body)
        except TransientVendorError:
            known = await self._started(state.place, await self._deployments(state.place), key)
            if known is None:
                raise
            return known
        except VendorRefused as error:
            if error.kind == "conflict":
                check_mark(state, await self.read(state.place))
            raise
        made = json_of(VENDOR, answer)
        return state.model_copy(
            update={
                "version": str(made.get("sha", version)),
                "previous": state.version,
                "mark": str(made.get("id", "")),
                "status": "underway",
                "url": str(made.get("url", "")),
            }
        )

    async def _dispatch(
        self, state: ReleaseState, version: str, key: str, repeat: bool
    ) -> ReleaseState:
        """Start the workflow; its deployment appears later, so that no mark is known yet."""
        if repeat and not self._settings.keyed_runs:
            raise _cannot_tell(state.place, key)
        path = f"actions/workflows/{path_part(state.place.workflow)}/dispatches"
        body = {"ref": self._settings.dispatch_ref, "inputs": {"version": version, KEY: key}}
        try:
            answer = await self._call("POST", state.place, path, json=body)
            if answer.content:  # Newer versions of the API answer with the run they started.
                json_of(VENDOR, answer)
        except TransientVendorError as error:
            known = await self._run(state.place, key)
            if known is None and self._settings.keyed_runs:
                raise TransientVendorError(str(error), APPEARS_WITHIN_S) from error
            if known is None:
                raise _cannot_tell(state.place, key) from error
        return state.model_copy(
            update={
                "version": version,
                "previous": state.version,
                "mark": "",
                "status": "underway",
            }
        )

    async def _started(
        self, place: ReleasePlace, deployments: list[dict[str, Any]], key: str
    ) -> ReleaseState | None:
        """Return what an earlier attempt with this key started, or None."""
        if place.workflow:
            run = await self._run(place, key)
            if run is None:
                return None
            state = state_of(place, await self._history(place, deployments))
            return state.model_copy(update={"mark": "", "url": str(run.get("html_url", ""))})
        for position, each in enumerate(deployments):
            if _key_of(each) == key:
                if position:
                    raise StateMoved(f"{place.label} was deployed to again since action {key}")
                return state_of(place, await self._history(place, deployments))
        return None

    async def _run(self, place: ReleasePlace, key: str) -> dict[str, Any] | None:
        path = f"actions/workflows/{path_part(place.workflow)}/runs"
        params = {"event": "workflow_dispatch", "per_page": LOOKED_AT}
        answer = await self._call("GET", place, path, params=params)
        runs = json_of(VENDOR, answer).get("workflow_runs") or []
        return next((run for run in runs if key in str(run.get("display_title", ""))), None)

    async def _deployments(self, place: ReleasePlace) -> list[dict[str, Any]]:
        params = {"environment": place.environment, "per_page": LOOKED_AT}
        return list_of(VENDOR, await self._call("GET", place, "deployments", params=params))

    async def _history(
        self, place: ReleasePlace, deployments: list[dict[str, Any]]
    ) -> list[Deployment]:
        """Return the deployments with their phase, down to the one before what runs."""
        found: list[Deployment] = []
        live: set[str] = set()
        for each in deployments[:LOOKED_INTO]:
            phase = await self._phase(place, str(each["id"]))
            found.append(Deployment(str(each["id"]), str(each["sha"]), phase, str(each["url"])))
            if phase != "failed":
                live.add(found[-1].version)
            if len(live) == 2 and phase == "live":
                break
        return found

    async def _phase(self, place: ReleasePlace, deployment: str) -> Phase:
        path = f"deployments/{path_part(deployment)}/statuses"
        statuses = list_of(VENDOR, await self._call("GET", place, path, params={"per_page": 1}))
        return _PHASES.get(str(statuses[0].get("state")), "underway") if statuses else "underway"

    async def _call(self, method: str, place: ReleasePlace, path: str, **options: Any) -> Any:
        allowed = self._settings.may_deploy
        if place.project.count("/") != 1 or (allowed and place.project not in allowed):
            raise VendorRefused(
                f"Recoup is not configured to deploy {place.project!r}", kind="forbidden"
            )
        if self._settings.token is None:
            raise ConfigurationError("GitHub is not configured; set RECOUP_GITHUB_TOKEN")
        secret = self._settings.token.get_secret_value()
        owner, name = place.project.split("/")
        headers = {
            "Authorization": f"Bearer {secret}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
        }
        url = (
            f"{self._settings.base_url.rstrip('/')}/repos/{path_part(owner)}/{path_part(name)}"
            f"/{path}"
        )
        return await self._http.request(
            VENDOR, method, url, headers=headers, secrets=(secret,), **options
        )


def _key_of(deployment: dict[str, Any]) -> str:
    payload = deployment.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return ""
    return str(payload.get(KEY, "")) if isinstance(payload, dict) else ""


def _cannot_tell(place: ReleasePlace, key: str) -> VendorRefused:
    return VendorRefused(
        f"{VENDOR} may have started {place.workflow} for {place.label} already, and no run shows "
        f"the key {key}; it is not started again. Put the input {KEY} into the workflow's run-name",
        kind="unknown_outcome",
    )
