"""GitLab deployments as a ReleaseControl: a rollback runs the earlier deployment's job again.

That is what the button "Rollback environment" does. With ``workflow`` in the place (any text, shown
in messages) a pipeline is run instead, on the wanted commit's ref, with the key as a variable.
"""

from typing import Any

from integrations.gitlab.settings import GitLabSettings
from integrations.http import VendorHttp, json_of, list_of
from integrations.parts import path_part
from integrations.releases import Deployment, Phase, check_mark, state_of
from recoup.domain.errors import ConfigurationError, TransientVendorError, VendorRefused
from recoup.domain.ports import ReleasePlace, ReleaseState

VENDOR = "GitLab"
PLATFORM = "gitlab"
KEY, VERSION = "RECOUP_KEY", "RECOUP_VERSION"
LOOKED_AT = 30
LOOKED_INTO = 5
_PHASES: dict[str, Phase] = {
    "success": "live",
    "failed": "failed",
    "canceled": "failed",
    "skipped": "failed",
}


class GitLabReleases:
    """Reads what runs from the deployments, and deploys an earlier one again."""

    def __init__(self, settings: GitLabSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, place: ReleasePlace) -> ReleaseState:
        """Return what runs in the environment."""
        return _state(place, await self._deployments(place))

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        """Return the commit that a tag, branch or short id stands for."""
        found = await self._call("GET", place, f"repository/commits/{path_part(name)}")
        return str(json_of(VENDOR, found).get("id", ""))

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        """Run the job (or a pipeline) of the wanted version, once."""
        del comment  # GitLab shows who ran a job, and takes no words with it.
        place = state.place
        deployments = await self._deployments(place)
        present = _state(place, deployments)
        if repeat and present.mark != state.mark and present.version == version:
            return present
        check_mark(state, present)
        if place.workflow:
            return await self._run_pipeline(state, version, idempotency_key)
        return await self._retry_job(state, version, deployments)

    async def _retry_job(
        self, state: ReleaseState, version: str, deployments: list[dict[str, Any]]
    ) -> ReleaseState:
        job = _job_of(deployments, version)
        if not job:
            raise VendorRefused(
                f"{VENDOR} has no deployment of {version} to {state.place.label} to run again",
                kind="not_found",
            )
        try:
            json_of(VENDOR, await self._call("POST", state.place, f"jobs/{job}/retry"))
        except TransientVendorError:
            present = await self.read(state.place)
            if present.mark == state.mark or present.version != version:
                raise
            return present
        except VendorRefused as error:
            if error.kind == "conflict":
                check_mark(state, await self.read(state.place))
            raise
        present = await self.read(state.place)
        return present if present.mark != state.mark else _awaited(state, version)

    async def _run_pipeline(self, state: ReleaseState, version: str, key: str) -> ReleaseState:
        if not await self._pipeline(state.place, key):
            variables = [{"key": KEY, "value": key}, {"key": VERSION, "value": version}]
            body = {"ref": await self._ref_of(state.place, version), "variables": variables}
            try:
                json_of(VENDOR, await self._call("POST", state.place, "pipeline", json=body))
            except TransientVendorError:
                if not await self._pipeline(state.place, key):
                    raise
        return _awaited(state, version)

    async def _pipeline(self, place: ReleasePlace, key: str) -> bool:
        """Tell whether a pipeline with this key was started."""
        params = {"source": "api", "order_by": "id", "sort": "desc", "per_page": LOOKED_INTO}
        for each in list_of(VENDOR, await self._call("GET", place, "pipelines", params=params)):
            path = f"pipelines/{path_part(str(each['id']))}/variables"
            variables = list_of(VENDOR, await self._call("GET", place, path))
            if any(one.get("key") == KEY and one.get("value") == key for one in variables):
                return True
        return False

    async def _ref_of(self, place: ReleasePlace, version: str) -> str:
        """Return the ref under which the version was deployed: a pipeline takes no bare commit."""
        for each in await self._deployments(place):
            if each.get("sha") == version and each.get("ref"):
                return str(each["ref"])
        return version

    async def _deployments(self, place: ReleasePlace) -> list[dict[str, Any]]:
        params = {
            "environment": place.environment,
            "order_by": "id",
            "sort": "desc",
            "per_page": LOOKED_AT,
        }
        return list_of(VENDOR, await self._call("GET", place, "deployments", params=params))

    async def _call(self, method: str, place: ReleasePlace, path: str, **options: Any) -> Any:
        allowed = self._settings.may_deploy
        if allowed and place.project not in allowed:
            raise VendorRefused(
                f"Recoup is not configured to deploy {place.project!r}", kind="forbidden"
            )
        if self._settings.token is None:
            raise ConfigurationError("GitLab is not configured; set RECOUP_GITLAB_TOKEN")
        secret = self._settings.token.get_secret_value()
        url = f"{self._settings.base_url.rstrip('/')}/projects/{path_part(place.project)}/{path}"
        return await self._http.request(
            VENDOR, method, url, headers={"PRIVATE-TOKEN": secret}, secrets=(secret,), **options
        )


def _state(place: ReleasePlace, deployments: list[dict[str, Any]]) -> ReleaseState:
    history = [
        Deployment(
            str(each["id"]), str(each["sha"]), _PHASES.get(str(each.get("status")), "underway")
        )
        for each in deployments
    ]
    return state_of(place, history)


def _job_of(deployments: list[dict[str, Any]], version: str) -> str:
    for each in deployments:
        if each.get("sha") == version and each.get("status") == "success":
            job = (each.get("deployable") or {}).get("id")
            if job:
                return path_part(str(job))
    return ""


def _awaited(state: ReleaseState, version: str) -> ReleaseState:
    """Return the state while the deployment that was asked for does not show yet."""
    changed = {"version": version, "previous": state.version, "mark": "", "status": "underway"}
    return state.model_copy(update=changed)
