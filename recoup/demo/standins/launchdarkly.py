"""LaunchDarkly as its SDK and its REST clients see it: its flags in one environment."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from integrations.signatures import hmac_hex
from recoup.demo.standins.reviews import ReviewsStandIn
from recoup.domain.base import to_ms

HEARTBEAT_S = 15.0


class LaunchDarklyStandIn:
    """Flags with the real protocols: SDK stream, REST semantic patches, signed webhooks."""

    def __init__(
        self, project: str, environment: str, secret: str, now: Callable[[], datetime]
    ) -> None:
        self.project, self.environment = project, environment
        self.webhook_url = ""
        self._secret = secret
        self._now = now
        self._flags: dict[str, dict[str, Any]] = {}
        self.reviews = ReviewsStandIn(self._apply)
        self.dependents: dict[str, list[str]] = {}
        self._streams: list[asyncio.Queue[str]] = []
        self._audit = 0
        self.app = Starlette(
            routes=[
                Route("/all", self._stream),
                Route("/sdk/latest-all", self._poll),
                Route("/bulk", self._accept, methods=["POST"]),
                Route("/diagnostic", self._accept, methods=["POST"]),
                Route("/api/v2/flags/{project}/{key}", self._read, methods=["GET"]),
                Route("/api/v2/flags/{project}/{key}", self._patch, methods=["PATCH"]),
                Route("/api/v2/flags/{project}/{env}/{key}/dependent-flags", self._dependents),
                Route("/api/v2/projects/{project}", self._project),
                *self.reviews.routes,
                Route("/_control/flip", self._flip, methods=["POST"]),
            ]
        )

    def add(
        self, key: str, *, on: bool, variations: tuple[Any, ...] = (True, False), serving: int = 0
    ) -> None:
        """Make a flag."""
        self._flags[key] = {
            "on": on,
            "version": 1,
            "variations": list(variations),
            "fallthrough": {"variation": serving},
        }

    def is_on(self, key: str) -> bool:
        """Tell whether a flag is on."""
        return bool(self._flags[key]["on"])

    def version(self, key: str) -> int:
        """Return how often a flag was changed, plus one."""
        return int(self._flags[key]["version"])

    def serves(self, key: str) -> Any:
        """Return what a flag serves by default: a value, or the rollout."""
        flag = self._flags[key]
        index = flag["fallthrough"].get("variation")
        return flag["fallthrough"] if index is None else flag["variations"][index]

    def touch(self, key: str) -> None:
        """Change something about a flag that is none of the rest, as a colleague may."""
        self._flags[key]["version"] += 1

    def _sdk_flag(self, key: str) -> dict[str, Any]:
        flag = self._flags[key]
        return {
            "key": key,
            "version": flag["version"],
            "on": flag["on"],
            "variations": flag["variations"],
            "offVariation": len(flag["variations"]) - 1,
            "fallthrough": flag["fallthrough"],
            "rules": [],
            "targets": [],
            "prerequisites": [],
            "salt": key,
        }

    def _rest_flag(self, key: str) -> dict[str, Any]:
        flag = self._flags[key]
        config = {
            "on": flag["on"],
            "version": flag["version"],
            "lastModified": to_ms(self._now()),
            "offVariation": len(flag["variations"]) - 1,
            "fallthrough": flag["fallthrough"],
            "rules": [],
            "targets": [],
        }
        return {
            "key": key,
            "name": key,
            "kind": "boolean" if flag["variations"] == [True, False] else "multivariate",
            "_version": flag["version"],
            "variations": [
                {"_id": f"v-{number}", "value": value}
                for number, value in enumerate(flag["variations"])
            ],
            "environments": {self.environment: config},
        }

    def _all(self) -> dict[str, Any]:
        return {"flags": {key: self._sdk_flag(key) for key in self._flags}, "segments": {}}

    async def _stream(self, _request: Request) -> Response:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._streams.append(queue)
        first = f"event: put\ndata: {json.dumps({'path': '/', 'data': self._all()})}\n\n"

        async def events() -> AsyncIterator[str]:
            yield first
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield ":\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _poll(self, _request: Request) -> Response:
        return JSONResponse(self._all())

    async def _accept(self, _request: Request) -> Response:
        return Response(status_code=202)

    async def _read(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in self._flags or request.path_params["project"] != self.project:
            return JSONResponse({"code": "not_found", "message": "no such flag"}, 404)
        return JSONResponse(self._rest_flag(key))

    async def _patch(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in self._flags:
            return JSONResponse({"code": "not_found", "message": "no such flag"}, 404)
        if "semanticpatch" not in request.headers.get("content-type", ""):
            return JSONResponse({"code": "bad_request", "message": "not a semantic patch"}, 400)
        body = await request.json()
        if self.reviews.required:
            text = "approval is required for this environment"
            return JSONResponse({"code": "method_not_allowed", "message": text}, 405)
        if request.query_params.get("dryRun") != "true":
            await self._apply(key, body["instructions"])
        return JSONResponse(self._rest_flag(key))

    async def _dependents(self, request: Request) -> Response:
        found = self.dependents.get(request.path_params["key"], [])
        return JSONResponse({"items": [{"key": each} for each in found]})

    async def _project(self, request: Request) -> Response:
        if request.path_params["project"] != self.project:
            return JSONResponse({"code": "not_found", "message": "unknown project"}, 404)
        return JSONResponse({"key": self.project})

    async def _apply(self, key: str, instructions: list[dict[str, Any]]) -> None:
        """Carry out a semantic patch."""
        for instruction in instructions:
            if instruction["kind"] == "updateFallthroughVariationOrRollout":
                self._serve(key, instruction)
            else:
                on = {"turnFlagOn": True, "turnFlagOff": False}[instruction["kind"]]
                await self._set(key, on, "recoup@shop.example")

    def _serve(self, key: str, instruction: dict[str, Any]) -> None:
        flag = self._flags[key]
        weights = instruction.get("rolloutWeights") or {}
        shares = [
            {"variation": int(name[2:]), "weight": weight} for name, weight in weights.items()
        ]
        chosen = instruction.get("variationId")
        flag["fallthrough"] = (
            {"variation": int(chosen[2:])} if chosen else {"rollout": {"variations": shares}}
        )
        flag["version"] += 1

    async def _flip(self, request: Request) -> Response:
        body = await request.json()
        await self._set(body["key"], bool(body["on"]), body.get("by", "dev@shop.example"))
        return JSONResponse(self._rest_flag(body["key"]))

    async def _set(self, key: str, on: bool, by: str) -> None:
        flag = self._flags[key]
        before = flag["on"]
        flag.update(on=on, version=flag["version"] + 1)
        patch = json.dumps({"path": f"/flags/{key}", "data": self._sdk_flag(key)})
        for queue in self._streams:
            queue.put_nowait(f"event: patch\ndata: {patch}\n\n")
        await self._tell(key, before, on, by)

    async def _tell(self, key: str, before: bool, on: bool, by: str) -> None:
        self._audit += 1
        verb = "turned on" if on else "turned off"
        resource = f"proj/{self.project}:env/{self.environment}:flag/{key}"
        entry = {
            "_id": f"audit-{self._audit}",
            "date": to_ms(self._now()),
            "kind": "flag",
            "name": key,
            "accesses": [{"action": "updateOn", "resource": resource}],
            "member": {"email": by},
            "titleVerb": verb,
            "title": f"Flag {key} {verb}",
            "previousVersion": {"environments": {self.environment: {"on": before}}},
            "currentVersion": {"environments": {self.environment: {"on": on}}},
        }
        raw = json.dumps(entry).encode()
        headers = {"X-LD-Signature": hmac_hex(self._secret, raw)}
        if self.webhook_url:
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.post(self.webhook_url, content=raw, headers=headers)
