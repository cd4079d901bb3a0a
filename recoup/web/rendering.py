"""Drawing pages: one shell around every content, and fragments only where something changed."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from xxhash import xxh3_64_hexdigest

from recoup.domain.wording import words

SEEN = "x-seen"


def link(path: str, **query: object) -> str:
    """Return an address with its parts quoted; lists repeat, empty values are left out."""
    wanted = {name: value for name, value in query.items() if value not in ("", None, [])}
    return path + (f"?{urlencode(wanted, doseq=True)}" if wanted else "")


def lasting(duration: timedelta | float | None) -> str:
    """Return a length of time for people: ``8 min``, ``2 h 05 min``, ``3 d 4 h``."""
    if duration is None:
        return "-"
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def moment(value: datetime) -> str:
    """Return a moment as date and time."""
    return f"{value:%d %b %H:%M}"


class Renderer:
    """Fills templates; a content template stands in the shell, or alone for htmx."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("recoup.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            percent=lambda value: f"{value:.1%}",
            signed=lambda value: f"{value:+z.1%}",
            words=words,
            lasting=lasting,
            moment=moment,
            path=lambda text: quote(str(text), safe=""),
        )
        self._templates.globals["link"] = link

    def page(self, request: Request, template: str, now: datetime, **values: Any) -> Response:
        """Return a page; to a browser that has this very content already, nothing but the time."""
        status = int(values.pop("status", 200))
        values.setdefault("live", False)
        content = self._templates.get_template(template)
        main = content.render(now=now, request=request, **values)
        seen = xxh3_64_hexdigest(main.encode())
        address = str(request.url.replace(scheme="", netloc="", fragment=""))
        around = {**values, "now": now, "main": main, "seen": seen, "address": address}
        headers = {"Cache-Control": "no-store", "Vary": "HX-Request, Cookie"}
        if request.headers.get("hx-request") == "true":
            headers["HX-Trigger"] = json.dumps({"recoup:now": f"{now:%a %d %b, %H:%M:%S} UTC"})
            if request.headers.get(SEEN) == seen:
                return Response(status_code=204, headers=headers)
            fragment = self._templates.get_template("main.html").render(**around)
            return HTMLResponse(fragment, status, headers)
        shell = self._templates.get_template("shell.html")
        path = request.url.path
        return HTMLResponse(shell.render(**around, path=path), status, headers)
