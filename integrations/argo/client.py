"""Argo Rollouts as a ReleaseControl: a rollout under way is aborted, a finished one undone.

A version is the hash of a pod template, because an undone revision gets a new number. The
``project`` of a place is ``namespace/rollout``.
"""

from typing import Any, NamedTuple

from integrations.argo.settings import ArgoSettings
from integrations.http import VendorHttp, json_of
from integrations.parts import path_part
from integrations.releases import Phase, check_mark
from recoup.domain.errors import ConfigurationError, TransientVendorError, VendorRefused
from recoup.domain.ports import ReleasePlace, ReleaseState

VENDOR = "Argo Rollouts"
PLATFORM = "argo"
HASH = "rollouts-pod-template-hash"
_PHASES: dict[str, Phase] = {"Healthy": "live", "Degraded": "failed"}


class _Template(NamedTuple):
    version: str
    revision: int
    stable: bool


class ArgoReleases:
    """Reads rollouts, and sends traffic back to an earlier pod template."""

    def __init__(self, settings: ArgoSettings, http: VendorHttp) -> None:
        self._settings = settings
        self._http = http

    async def read(self, place: ReleasePlace) -> ReleaseState:
        """Return which pod template gets the traffic."""
        return _state(place, await self._info(place))

    async def resolve(self, place: ReleasePlace, name: str) -> str:
        """Return the template hash of a revision number; a hash stands for itself."""
        found = _templates(await self._info(place))
        return next((each.version for each in found if str(each.revision) == name), name)

    async def deploy(
        self,
        state: ReleaseState,
        *,
        version: str,
        comment: str,
        idempotency_key: str,
        repeat: bool = False,
    ) -> ReleaseState:
        """Abort, undo or retry the rollout, whichever brings the version to run."""
        del comment, idempotency_key  # Argo takes neither; the mark tells a repeat.
        info = await self._info(state.place)
        present = _state(state.place, info)
        if repeat and present.mark != state.mark and present.version == version:
            return present
        check_mark(state, present)
        try:
            await self._call("PUT", state.place, _verb(info, version, state.place), json={})
        except TransientVendorError:
            after = await self.read(state.place)
            if after.mark == state.mark or after.version != version:
                raise
            return after
        except VendorRefused as error:
            if error.kind == "conflict":
                check_mark(state, await self.read(state.place))
            raise
        after = await self.read(state.place)
        if after.mark == state.mark and after.status == state.status:
            raise TransientVendorError(f"{VENDOR} took the request, but does not show it yet")
        return after

    async def _info(self, place: ReleasePlace) -> dict[str, Any]:
        return json_of(VENDOR, await self._call("GET", place, "info"))

    async def _call(self, method: str, place: ReleasePlace, path: str, **options: Any) -> Any:
        namespace, _, name = place.project.partition("/")
        allowed = self._settings.may_touch
        if not (namespace and name) or (allowed and namespace not in allowed):
            raise VendorRefused(
                f"Recoup is not configured to touch {place.project!r} (namespace/rollout)",
                kind="forbidden",
            )
        if not self._settings.base_url:
            raise ConfigurationError("Argo Rollouts is not configured; set RECOUP_ARGO_BASE_URL")
        token = self._settings.token
        secret = token.get_secret_value() if token else ""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        url = (
            f"{self._settings.base_url.rstrip('/')}/api/v1/rollouts/"
            f"{path_part(namespace)}/{path_part(name)}/{path}"
        )
        return await self._http.request(
            VENDOR, method, url, headers=headers, secrets=(secret,), **options
        )


def _templates(info: dict[str, Any]) -> list[_Template]:
    """Return the pod templates the rollout still knows, the latest revision first."""
    found = []
    for each in info.get("replicaSets") or []:
        labels = (each.get("objectMeta") or {}).get("labels") or {}
        name = str((each.get("objectMeta") or {}).get("name", ""))
        version = str(labels.get(HASH) or name.rsplit("-", 1)[-1])
        stable = bool(each.get("stable") or each.get("active"))
        found.append(_Template(version, int(each.get("revision") or 0), stable))
    return sorted(found, key=lambda each: -each.revision)


def _is_aborted(info: dict[str, Any]) -> bool:
    return info.get("status") == "Degraded" and "abort" in str(info.get("message", "")).lower()


def _state(place: ReleasePlace, info: dict[str, Any]) -> ReleaseState:
    templates = _templates(info)
    if not templates:
        raise VendorRefused(f"{place.label} has no replica sets", kind="not_found")
    newest = templates[0]
    stable = next((each for each in templates if each.stable), newest)
    aborted = _is_aborted(info)
    running = stable if aborted else newest
    others = [each.version for each in templates if each.version != running.version]
    previous = stable.version if stable.version != running.version else next(iter(others), "")
    status: Phase = "live" if aborted else _PHASES.get(str(info.get("status")), "underway")
    return ReleaseState(
        place=place,
        version=running.version,
        previous=previous,
        mark=f"{newest.revision}{':aborted' if aborted else ''}",
        status=status,
    )


def _verb(info: dict[str, Any], version: str, place: ReleasePlace) -> str:
    """Return the request that brings a template to run."""
    templates = _templates(info)
    newest = templates[0]
    wanted = next((each for each in templates if each.version == version), None)
    if wanted is None:
        raise VendorRefused(
            f"{place.label} no longer knows the template {version!r}", kind="not_found"
        )
    if wanted == newest:
        return "retry"
    if wanted.stable and not newest.stable:
        return "abort"
    return f"undo/{wanted.revision}"
