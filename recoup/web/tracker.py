"""``GET /recoup.js``: the tracker, to be loaded by the shop's pages."""

import hashlib
from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

KEPT_S = 3600


def add_tracker(web: FastAPI) -> None:
    """Add the route; browsers keep the script for an hour and then ask whether it changed."""
    script = (files("recoup.web") / "static" / "recoup.js").read_bytes()
    tag = f'"{hashlib.sha256(script).hexdigest()[:16]}"'
    headers = {
        "Cache-Control": f"public, max-age={KEPT_S}",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": tag,
    }

    @web.get("/recoup.js", include_in_schema=False)
    async def tracker(request: Request) -> Response:
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(script, headers=headers, media_type="text/javascript")
