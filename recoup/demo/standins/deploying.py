"""GitHub, GitLab and Argo Rollouts as their clients see them, with deployments that take time."""

import itertools
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recoup.demo.standins.ads import TOKEN


class GitHubStandIn:
    """Deployments of one repository and a deploy workflow that can be dispatched.

    ``settle`` is what becomes of a new deployment; ``""`` leaves it under way.
    """

    def __init__(self, project: str, environment: str, commits: list[str]) -> None:
        self.project, self.environment = project, environment
        self.settle = "success"
        self.run_names = True
        self._numbers = itertools.count(1)
        self.deployments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        for commit in commits:
            self.deploy(commit)
        root = f"/repos/{project}"
        self.app = Starlette(
            routes=[
                Route(f"{root}/deployments", self._list, methods=["GET"]),
                Route(f"{root}/deployments", self._create, methods=["POST"]),
                Route(f"{root}/deployments/{{id:int}}/statuses", self._statuses),
                Route(f"{root}/commits/{{ref}}", self._commit),
                Route(f"{root}/actions/workflows/{{name}}/runs", self._runs),
                Route(
                    f"{root}/actions/workflows/{{name}}/dispatches",
                    self._dispatch,
                    methods=["POST"],
                ),
            ]
        )

    def deploy(self, commit: str, payload: Any = "", state: str = "success") -> dict[str, Any]:
        """Make a deployment, as anybody may."""
        number = next(self._numbers)
        made = {
            "id": number,
            "sha": commit,
            "ref": commit,
            "environment": self.environment,
            "payload": payload,
            "url": f"https://api.github.example/deployments/{number}",
            "state": state,
        }
        self.deployments.insert(0, made)
        return made

    def running(self) -> str:
        """Return the commit that runs."""
        return next(str(each["sha"]) for each in self.deployments if each["state"] == "success")

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {TOKEN}":
            return None
        return JSONResponse({"message": "Bad credentials"}, 401)

    async def _list(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        wanted = request.query_params.get("environment")
        return JSONResponse([each for each in self.deployments if each["environment"] == wanted])

    async def _create(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        if body["auto_merge"] or body["required_contexts"]:
            return JSONResponse({"message": "Conflict merging main"}, 409)
        made = self.deploy(body["ref"], body["payload"], self.settle)
        return JSONResponse(made, 201)

    async def _statuses(self, request: Request) -> Response:
        number = request.path_params["id"]
        found = next(each for each in self.deployments if each["id"] == number)
        return JSONResponse([{"state": found["state"]}] if found["state"] else [])

    async def _commit(self, request: Request) -> Response:
        ref = request.path_params["ref"]
        found = next((e for e in self.deployments if str(e["sha"]).startswith(ref)), None)
        if found is None:
            return JSONResponse({"message": "No commit found for SHA: " + ref}, 422)
        return JSONResponse({"sha": found["sha"]})

    async def _runs(self, _request: Request) -> Response:
        return JSONResponse({"total_count": len(self.runs), "workflow_runs": self.runs})

    async def _dispatch(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        inputs = body["inputs"]
        title = f"Deploy {inputs['version']}"
        if self.run_names:
            title += f" ({inputs['recoup_key']})"
        self.runs.insert(0, {"id": len(self.runs) + 1, "display_title": title, "html_url": ""})
        self.deploy(inputs["version"], "", self.settle)
        return Response(status_code=204)


class GitLabStandIn:
    """Deployments of one project: running a job again makes a new deployment of its commit."""

    def __init__(self, project: str, environment: str, commits: list[str]) -> None:
        self.project, self.environment = project, environment
        self.settle = "success"
        self._numbers = itertools.count(1)
        self.deployments: list[dict[str, Any]] = []
        self.pipelines: list[dict[str, Any]] = []
        for commit in commits:
            self.deploy(commit)
        root = "/projects/{project:path}"
        self.app = Starlette(
            routes=[
                Route(f"{root}/deployments", self._list),
                Route(f"{root}/jobs/{{id:int}}/retry", self._retry, methods=["POST"]),
                Route(f"{root}/repository/commits/{{ref}}", self._commit),
                Route(f"{root}/pipelines", self._pipelines),
                Route(f"{root}/pipelines/{{id:int}}/variables", self._variables),
                Route(f"{root}/pipeline", self._pipeline, methods=["POST"]),
            ]
        )

    def deploy(self, commit: str, status: str = "success") -> None:
        """Make a deployment, as anybody may."""
        number = next(self._numbers)
        made = {
            "id": number,
            "sha": commit,
            "ref": "main",
            "status": status,
            "deployable": {"id": 1000 + number, "status": status},
        }
        self.deployments.insert(0, made)

    def running(self) -> str:
        """Return the commit that runs."""
        return next(str(each["sha"]) for each in self.deployments if each["status"] == "success")

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("private-token") != TOKEN:
            return JSONResponse({"message": "401 Unauthorized"}, 401)
        if request.path_params["project"] != self.project:
            return JSONResponse({"message": "404 Project Not Found"}, 404)
        return None

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        return JSONResponse(self.deployments)

    async def _retry(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        job = request.path_params["id"]
        found = next((e for e in self.deployments if e["deployable"]["id"] == job), None)
        if found is None:
            return JSONResponse({"message": "404 Not Found"}, 404)
        self.deploy(found["sha"], self.settle)
        return JSONResponse({"id": self.deployments[0]["deployable"]["id"]}, 201)

    async def _commit(self, request: Request) -> Response:
        ref = request.path_params["ref"]
        found = next((e for e in self.deployments if str(e["sha"]).startswith(ref)), None)
        if found is None:
            return JSONResponse({"message": "404 Commit Not Found"}, 404)
        return JSONResponse({"id": found["sha"]})

    async def _pipelines(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        return JSONResponse([{"id": each["id"]} for each in self.pipelines])

    async def _variables(self, request: Request) -> Response:
        number = request.path_params["id"]
        return JSONResponse(next(e["variables"] for e in self.pipelines if e["id"] == number))

    async def _pipeline(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        body = await request.json()
        self.pipelines.insert(0, {"id": len(self.pipelines) + 1, "variables": body["variables"]})
        given = {each["key"]: each["value"] for each in body["variables"]}
        self.deploy(given["RECOUP_VERSION"], self.settle)
        return JSONResponse({"id": self.pipelines[0]["id"]}, 201)


class ArgoStandIn:
    """One rollout with its replica sets, as the Rollouts dashboard shows it."""

    def __init__(self, namespace: str, name: str, templates: list[str]) -> None:
        self.name = name
        self.templates: list[dict[str, Any]] = [
            {"hash": each, "revision": number, "stable": each == templates[-1]}
            for number, each in enumerate(templates, 1)
        ]
        self.status, self.message = "Healthy", ""
        self.settle = "Healthy"
        root = f"/api/v1/rollouts/{namespace}/{name}"
        self.app = Starlette(
            routes=[
                Route(f"{root}/info", self._info),
                Route(f"{root}/abort", self._abort, methods=["PUT"]),
                Route(f"{root}/retry", self._retry, methods=["PUT"]),
                Route(f"{root}/undo/{{revision:int}}", self._undo, methods=["PUT"]),
            ]
        )

    def roll_out(self, template: str, *, done: bool = True) -> None:
        """Begin (and finish) a new revision, as anybody may."""
        known = next((each for each in self.templates if each["hash"] == template), None)
        if known is None:
            known = {"hash": template, "stable": False}
            self.templates.append(known)
        known["revision"] = 1 + max(int(each.get("revision", 0)) for each in self.templates)
        self.status, self.message = ("Healthy", "") if done else ("Paused", "CanaryPauseStep")
        if done:
            for each in self.templates:
                each["stable"] = each is known

    def running(self) -> str:
        """Return the template that is stable."""
        return next(str(each["hash"]) for each in self.templates if each["stable"])

    async def _info(self, _request: Request) -> Response:
        sets = [
            {
                "objectMeta": {
                    "name": f"{self.name}-{each['hash']}",
                    "labels": {"rollouts-pod-template-hash": each["hash"]},
                },
                "revision": str(each["revision"]),
                "stable": each["stable"],
            }
            for each in self.templates
        ]
        return JSONResponse(
            {
                "objectMeta": {"name": self.name},
                "status": self.status,
                "message": self.message,
                "replicaSets": sets,
            }
        )

    async def _abort(self, _request: Request) -> Response:
        self.status, self.message = "Degraded", "RolloutAborted: Rollout aborted update"
        return JSONResponse({})

    async def _retry(self, _request: Request) -> Response:
        self.status, self.message = "Progressing", "more replicas need to be updated"
        return JSONResponse({})

    async def _undo(self, request: Request) -> Response:
        wanted = request.path_params["revision"]
        found = next((each for each in self.templates if each["revision"] == wanted), None)
        if found is None:
            return JSONResponse({"message": "unable to find specified revision"}, 404)
        self.roll_out(str(found["hash"]), done=self.settle == "Healthy")
        return JSONResponse({})
