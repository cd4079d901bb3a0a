"""The tracker in a real browser: a page of a shop on one origin, a running Recoup on another."""

import gzip
import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route as Path_

from recoup.app import App, build
from recoup.demo.standins.running import Running
from recoup.settings import load
from recoup.web.app import build_web

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
]
SCRIPT = Path(__file__).parents[2] / "recoup" / "web" / "static" / "recoup.js"
KEY = "wk_shop"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1"
)
STUB = "window.recoup=window.recoup||function(){(recoup.q=recoup.q||[]).push(arguments)};"


class NoDesk:
    """A desk for a server without incidents."""

    async def decide(self, decision: Any) -> Any:
        raise NotImplementedError


class Shop:
    """Pages with the tracker on them; ``tag`` has the attributes of its script tag."""

    def __init__(self, recoup: str) -> None:
        self.recoup = recoup
        self.app = Starlette(
            routes=[
                Path_("/api/orders/{number}", self._order),
                Path_("/{path:path}", self._page),
            ]
        )

    async def _order(self, request: Request) -> Response:
        return JSONResponse({"number": request.path_params["number"]})

    async def _page(self, request: Request) -> Response:
        tag = request.query_params.get("tag", "")
        early = request.query_params.get("early", "")
        return HTMLResponse(
            f"<!doctype html><title>shop</title><script>{STUB}{early}</script>"
            f'<script async src="{self.recoup}/recoup.js" data-key="{KEY}" {tag}></script>'
            "<p>Things to buy.</p>"
        )


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_API_KEYS", "full")
        patch.setenv("RECOUP_TRACKER_WRITE_KEYS", KEY)
        built = build(load(data_dir=tmp_path_factory.mktemp("tracker")))
        yield built  # the settings are read again when the web is built
        built.store.close()


@pytest.fixture(scope="module")
def recoup(app: App) -> Iterator[str]:
    with Running(build_web(app, NoDesk())) as running:
        yield running.url


@pytest.fixture(scope="module")
def shop(recoup: str) -> Iterator[str]:
    with Running(Shop(recoup).app) as running:
        # Another host, so that the browser sees two sites.
        yield f"http://localhost:{urlsplit(running.url).port}"


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(user_agent=IPHONE)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture
def arrived(app: App) -> Callable[..., list[dict[str, Any]]]:
    """Return what arrived since the test began, once there are so many events."""
    start = app.store.head()

    def events(count: int, within_s: float = 10.0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            blocks = app.store.read(start)
            found = [json.loads(x) for b in blocks for x in getattr(b, "data", b"").splitlines()]
            if len(found) >= count > 0:
                break
            time.sleep(0.05)
        return sorted(found, key=lambda event: str(event["time"]))

    return events


def test_the_script_is_small_and_needs_nothing() -> None:
    text = SCRIPT.read_text()
    assert len(gzip.compress(text.encode(), 9)) < 5 * 1024
    assert "import " not in text
    assert "document.cookie" not in text


def test_the_script_is_served_to_other_sites_and_kept_for_an_hour(recoup: str) -> None:
    import httpx

    answer = httpx.get(f"{recoup}/recoup.js", trust_env=False)
    assert answer.text == SCRIPT.read_text()
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    again = httpx.get(
        f"{recoup}/recoup.js",
        headers={"If-None-Match": answer.headers["etag"]},
        trust_env=False,
    )
    assert again.status_code == 304


def test_a_visit_is_told_with_its_campaign_device_and_session(
    page: Page, shop: str, arrived: Callable[..., Any], app: App
) -> None:
    early = "recoup('dims',{experiment:'B'});recoup('identify','customer-1138');"
    page.goto(f"{shop}/shoes?utm_campaign=autumn&tag=data-release=4.18&early={early}")
    page.wait_for_function("recoup.ready")
    page.evaluate("recoup('track', 'checkout_started', {cart: 3})")
    page.evaluate("recoup('track', 'order_completed', {value: 59.9, currency: 'EUR'})")
    seen, started, done = arrived(3)
    assert [e["type"] for e in (seen, started, done)] == [
        "page_viewed",
        "checkout_started",
        "order_completed",
    ]
    assert seen["dims"] == {
        "browser": "Mobile Safari",
        "campaign": "autumn",
        "device": "mobile",
        "experiment": "B",
        "os": "iOS 16",
        "release": "4.18",
    }
    assert seen["props"] == {"path": "/shoes"}
    assert done["props"] == {"currency": "EUR", "value": 59.9}
    assert len({e["session"] for e in (seen, started, done)}) == 1
    assert seen["user"] != "customer-1138"  # a pseudonym by then
    assert page.context.cookies() == []


def test_the_session_and_its_campaign_last_over_pages(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/?utm_campaign=autumn")
    page.wait_for_function("recoup.ready")
    page.goto(f"{shop}/cart")
    page.wait_for_function("recoup.ready")
    page.evaluate("history.pushState({}, '', '/checkout/payment')")
    first, second, third = arrived(3)
    assert {e["session"] for e in (first, second, third)} == {first["session"]}
    assert [e["dims"]["campaign"] for e in (first, second, third)] == ["autumn"] * 3
    assert [e["props"]["path"] for e in (first, second, third)] == [
        "/",
        "/cart",
        "/checkout/payment",
    ]


def test_script_errors_are_told_and_an_endless_row_of_them_is_not(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/")
    page.wait_for_function("recoup.ready")
    page.evaluate(
        "() => { for (let i = 0; i < 30; i++) setTimeout(() => { throw new Error('pay ' + i) }) }"
    )
    page.evaluate("() => { Promise.reject(new Error('late')) }")
    page.wait_for_timeout(200)
    errors = [e for e in arrived(11) if e["type"] == "script_error"]
    assert len(errors) == 10
    assert errors[0]["props"]["message"] == "Uncaught Error: pay 0"


def test_calls_are_timed_when_asked_for_and_name_no_visitor(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/?tag=data-api=on")
    page.wait_for_function("recoup.ready")
    text = page.evaluate("fetch('/api/orders/4711?token=secret').then(a => a.text())")
    assert json.loads(text) == {"number": "4711"}
    page.evaluate("fetch('http://127.0.0.1:9/gone').catch(() => 0)")
    timed = [e["props"] for e in arrived(3) if e["type"] == "api_timed"]
    assert [(call["endpoint"], call["status"]) for call in timed] == [
        ("/api/orders/:id", 200),
        ("/gone", 0),
    ]
    assert all(call["ms"] >= 0 for call in timed)


def test_many_events_go_in_few_requests(page: Page, shop: str, arrived: Callable[..., Any]) -> None:
    posts: list[str] = []
    page.on("request", lambda r: posts.append(r.method) if "/v1/collect" in r.url else None)
    page.goto(f"{shop}/")
    page.wait_for_function("recoup.ready")
    page.evaluate("for (let i = 0; i < 99; i++) recoup('track', 'product_viewed', {i})")
    assert len(arrived(100)) == 100
    assert set(posts) == {"POST"}  # no preflight
    assert len(posts) <= 4


def test_what_is_left_when_the_page_closes_goes_by_beacon(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/")
    page.wait_for_function("recoup.ready")
    page.evaluate("recoup('track', 'product_added')")
    page.close(run_before_unload=False)
    assert {e["type"] for e in arrived(2)} == {"page_viewed", "product_added"}


def test_events_of_an_offline_visit_arrive_later_with_their_own_times(
    page: Page, visitor: BrowserContext, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/")
    page.wait_for_function("recoup.ready")
    assert len(arrived(1)) == 1
    visitor.set_offline(True)
    page.evaluate("recoup('track', 'product_viewed'); recoup('flush')")
    page.wait_for_timeout(700)
    page.evaluate("for (let i = 0; i < 300; i++) recoup('track', 'product_added', {i})")
    page.evaluate("recoup('flush')")
    kept = json.loads(page.evaluate("localStorage['recoup.queue']"))
    assert len(kept) == 200  # bounded; the oldest made room
    assert len(arrived(2, within_s=1)) == 1
    visitor.set_offline(False)
    late = [e for e in arrived(201, within_s=20) if e["type"] == "product_added"]
    assert sorted(e["props"]["i"] for e in late) == list(range(100, 300))
    assert page.evaluate("localStorage['recoup.queue'] || ''") == ""


def test_what_recoup_cannot_take_now_is_kept_over_pages_and_counts_once(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    def busy(route: Route) -> None:
        route.fulfill(status=503, headers={"Access-Control-Allow-Origin": "*"})

    page.route("**/v1/collect*", busy)
    page.goto(f"{shop}/?tag=data-page=off")
    page.wait_for_function("recoup.ready")
    page.evaluate("navigator.sendBeacon = () => false; recoup('track', 'product_added')")
    page.evaluate("recoup('flush')")
    page.wait_for_function("(localStorage['recoup.queue'] || '').includes('product_added')")
    page.unroute("**/v1/collect*")
    page.goto(f"{shop}/cart?tag=data-page=off")
    assert [e["type"] for e in arrived(1)] == ["product_added"]


def test_a_clock_that_is_wrong_is_corrected(
    page: Page, shop: str, arrived: Callable[..., Any], app: App
) -> None:
    page.clock.set_fixed_time(app.clock.now() - timedelta(hours=5))
    page.goto(f"{shop}/?tag=data-page=off")
    page.wait_for_function("window.recoup && recoup.ready", polling=50)
    page.evaluate("recoup('track', 'product_viewed'); recoup('flush')")
    [event] = arrived(1)
    apart = abs((datetime.fromisoformat(event["time"]) - app.clock.now()).total_seconds())
    assert apart < 30


def test_without_consent_nothing_is_kept_or_sent(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    page.goto(f"{shop}/?tag=data-consent=required")
    page.wait_for_function("recoup.ready")
    page.evaluate("recoup('track', 'product_viewed'); recoup('flush')")
    assert arrived(1, within_s=2.5) == []
    assert page.evaluate("localStorage.length") == 0
    page.evaluate("recoup('consent', true)")
    assert [e["type"] for e in arrived(2)] == ["page_viewed", "product_viewed"]
    page.goto(f"{shop}/cart?tag=data-consent=required")
    page.wait_for_function("recoup.ready")
    assert len(arrived(3)) == 3  # the decision is remembered
    page.evaluate("recoup('consent', false); recoup('track', 'product_added'); recoup('flush')")
    assert page.evaluate("Object.keys(localStorage)") == ["recoup.consent"]
    page.goto(f"{shop}/?tag=data-consent=required")
    page.wait_for_function("recoup.ready")
    assert len(arrived(4, within_s=2.5)) == 3


def test_a_tracker_that_is_used_wrongly_does_not_break_the_shop(
    page: Page, shop: str, arrived: Callable[..., Any]
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{shop}/?tag=data-page=off")
    page.wait_for_function("recoup.ready")
    page.evaluate("recoup('no such thing'); recoup(); recoup('track'); recoup('dims', null)")
    page.evaluate("const loop = {}; loop.loop = loop; recoup('track', 'x', loop); recoup('flush')")
    assert errors == []
