"""Ad platforms that also keep a history: Meta's activity log and Google's change events."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recoup.demo.standins.ads import TOKEN, GoogleAdsStandIn, google_error

_RANGE = re.compile(r"change_date_time (>=|<=) '([^']+)'")


class MetaHistoryStandIn:
    """Meta's activities edge: the latest first, in pages, one week unless asked otherwise."""

    def __init__(self, account: str) -> None:
        self.activities: list[dict[str, Any]] = []
        self.same_cursor = False
        """Misbehave: answer the same cursor for ever."""
        self.app = Starlette(routes=[Route(f"/act_{account}/activities", self._read)])

    async def _read(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            error = {"code": 190, "message": "Invalid OAuth access token"}
            return JSONResponse({"error": error}, 401)
        query = request.query_params
        since, until = float(query["since"]), float(query["until"])
        found = [each for each in self.activities if since <= _unix(each) < until]
        found.sort(key=_unix, reverse=True)
        start, limit = int(query.get("after", "0")), int(query["limit"])
        fields = query["fields"].split(",")
        page = [
            {key: value for key, value in each.items() if key in fields}
            for each in found[start : start + limit]
        ]
        body: dict[str, Any] = {"data": page}
        if page:
            after = start if self.same_cursor else start + limit
            body["paging"] = {"cursors": {"before": str(start), "after": str(after)}}
            if start + limit < len(found) or self.same_cursor:
                body["paging"]["next"] = "http://elsewhere.example/not-to-be-followed"
        return JSONResponse(body)


class GoogleHistoryStandIn(GoogleAdsStandIn):
    """Change events over ``googleAds:search``, with the limits that Google sets on them."""

    def __init__(self, zone: str, now: datetime) -> None:
        super().__init__({})
        self.zone = zone
        self.now = now
        self.rows: list[dict[str, Any]] = []
        self.page = 10_000
        self.most_rows = 10_000

    async def _search(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        query = str(body["query"])
        if "FROM customer" in query:
            return JSONResponse({"results": [{"customer": {"timeZone": self.zone}}]})
        bounds = dict(_RANGE.findall(query))
        limit = re.search(r"LIMIT (\d+)", query)
        if set(bounds) != {">=", "<="} or limit is None or int(limit[1]) > self.most_rows:
            return google_error(400, "INVALID_ARGUMENT", "a finite range and a limit are needed")
        oldest = (self.now - timedelta(days=30)).astimezone(ZoneInfo(self.zone))
        if bounds[">="] < f"{oldest:%F %T}":
            return google_error(400, "INVALID_ARGUMENT", "the start date is too old")
        found = [row for row in self.rows if bounds[">="] <= _local(row) <= bounds["<="]]
        found = sorted(found, key=_local)[: int(limit[1])]
        start = int(body.get("pageToken") or 0)
        answer: dict[str, Any] = {"results": found[start : start + self.page]}
        if start + self.page < len(found):
            answer["nextPageToken"] = str(start + self.page)
        return JSONResponse(answer)


def _unix(activity: dict[str, Any]) -> float:
    return datetime.fromisoformat(activity["event_time"]).astimezone(UTC).timestamp()


def _local(row: dict[str, Any]) -> str:
    return str(row["changeEvent"]["changeDateTime"])
