"""The pages in a real browser: drawn, refreshed, by keyboard, on a phone, on paper, refused."""

import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from recoup.domain.changes import Change

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
]
FLAG = "launchdarkly:payment-widget-v2:7"
PATHS = {
    "/": "What is watched",
    "/incidents": "Incidents",
    "/cohorts": "Everyone",
    "/changes": "Changes",
    "/playbooks": "Playbooks",
    "/business": "Business",
    "/audit": "Audit log",
    "/settings": "Settings in force",
}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAPER = {"width": 794, "height": 1123}
REFRESH_MS = 4500


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window; nothing in it may be refused by the policy or fail in a script."""
    context = browser.new_context(viewport=WIDE)
    found, complaints = context.new_page(), []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on(
        "console",
        lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
    )
    yield found
    context.close()
    assert complaints == []


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_drawn_says_where_it_is_and_fits_on_a_phone(
    page: Page, site: Any, path: str
) -> None:
    answer = page.goto(site.url + path)
    assert answer is not None
    assert answer.status == 200
    expect(page.get_by_role("heading", level=1)).to_have_text(PATHS[path])
    current = page.locator("nav a[aria-current=page]")
    expect(current).to_have_attribute("href", path)
    assert page.evaluate("typeof htmx") == "object"
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"  # the sheet applies
    page.set_viewport_size(NARROW)
    assert overflow(page) <= 0
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()


@pytest.mark.parametrize("path", ["/settings", "/audit", "/changes", "/incidents"])
def test_on_a_phone_every_cell_of_a_list_is_in_sight(page: Page, site: Any, path: str) -> None:
    page.set_viewport_size(NARROW)
    page.goto(site.url + path)
    cells = page.locator("table.stack tbody tr").first.locator("td, th")
    assert cells.count() >= 4
    for cell in cells.all():
        box = cell.bounding_box()
        if box is not None:  # an empty one is left out
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= NARROW["width"]
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    assert overflow(page) <= 0


def test_what_stands_out_is_said_before_the_heat_map(page: Page, site: Any) -> None:
    page.set_viewport_size(NARROW)
    page.goto(site.url)
    said = page.get_by_text("Far worse than chance allows:")
    expect(said).to_be_visible()
    said.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("os=|browser=|campaign="))
    assert "metric=" in page.url


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_recoup_says_what_to_do(page: Page, empty_site: Any, path: str) -> None:
    page.goto(empty_site.url + path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if path in ("/", "/incidents", "/cohorts", "/changes", "/business", "/audit"):
        expect(page.locator("main p.card").first).to_be_visible()


def test_from_the_overview_to_the_cause_and_its_cohort(page: Page, site: Any) -> None:
    page.goto(site.url)
    page.get_by_role("region", name="Heat map").locator("td.far-worse a").first.click()
    expect(page.get_by_role("img").first).to_be_visible()
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    chart = page.locator("figure.chart svg.wide")
    drawn = chart.bounding_box()
    assert drawn is not None
    assert drawn["height"] > 200
    page.get_by_text("The same as a table").click()
    expect(page.locator("#cohort-table table")).to_be_visible()
    page.get_by_role("link", name="payment-widget-v2 <on>").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("payment-widget-v2 <on>")
    expect(page.get_by_role("columnheader", name="Out of scope before")).to_be_visible()
    expect(page.get_by_text("worse, more than chance").first).to_be_visible()


def test_the_cohort_explorer_narrows_down_by_its_form(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/cohorts")
    page.get_by_label("Narrow down to").select_option("os=iOS 16")
    page.get_by_label("Time").select_option("6")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("os=iOS 16")
    page.get_by_role("link", name="Without os=iOS 16").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Everyone")


def test_a_page_refreshes_itself_when_something_happened(page: Page, site: Any) -> None:
    page.clock.install()
    page.goto(site.url)
    before = page.evaluate("document.querySelector('#main')._mine = 1")
    page.clock.run_for(REFRESH_MS)
    assert page.evaluate("document.querySelector('#main')._mine") == before  # nothing to redraw
    now = site.world.app.clock.now()
    change = Change(id="d:9", kind="deploy", time=now - timedelta(minutes=1), title="cart 9.1 <b>")
    site.world.app.store.record_change(change)
    with page.expect_response(lambda answer: answer.status == 200):
        page.clock.run_for(REFRESH_MS)
    expect(page.get_by_role("link", name="cart 9.1 <b>")).to_be_visible()


def test_a_redraw_waits_for_somebody_inside_and_keeps_what_is_open(page: Page, site: Any) -> None:
    page.clock.install()
    page.goto(f"{site.url}/cohorts")
    page.get_by_text("The same as a table").click()
    metric = page.get_by_label("Metric", exact=True)
    metric.focus()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    now = site.world.app.clock.now()
    change = Change(id="d:10", kind="promo", time=now - timedelta(minutes=1), title="ten percent")
    site.world.app.store.record_change(change)
    page.clock.run_for(2 * REFRESH_MS)
    assert asked == []
    metric.blur()
    page.clock.run_for(REFRESH_MS)
    expect(page.get_by_role("link", name="ten percent")).to_be_visible()
    expect(page.locator("#cohort-table table")).to_be_visible()


def test_a_lost_connection_is_said_and_ends_by_itself(page: Page, site: Any) -> None:
    page.clock.install()
    page.goto(f"{site.url}/incidents")
    banner = page.get_by_text("Not connected.")
    expect(banner).to_be_hidden()

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/incidents", cut)
    page.clock.run_for(REFRESH_MS)
    expect(banner).to_be_visible()
    expect(page.get_by_role("table")).to_be_visible()  # what was seen stays
    page.unroute("**/incidents")
    page.clock.run_for(REFRESH_MS)
    expect(banner).to_be_hidden()


def test_a_decision_by_keyboard_alone(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if stops[-1] == "reason":
            page.keyboard.type("it is another widget")
        if stops[-1] == "reject":
            break
    assert stops[-3:] == ["reason", "approve", "reject"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Noted: reject.")).to_be_visible()
    assert site.world.desk.decisions[-1].reason == "it is another widget"


def test_enter_in_the_reason_decides_nothing_by_accident(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    before = len(site.world.desk.decisions)
    expect(page.get_by_role("button", name="Enter in a field")).to_be_hidden()
    page.get_by_label("Reason").fill("while I was typing")
    page.get_by_label("Reason").press("Enter")
    page.wait_for_timeout(150)
    assert page.url.endswith(site.world.incident_id)  # and nothing was sent
    assert site.world.desk.decisions[before:] == []


def test_everything_can_be_read_without_javascript(browser: Browser, site: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.locator("figure.chart svg.wide")).to_be_visible()
    page.get_by_role("link", name="Report").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", ["/incidents/nope", "/changes/nope", "/nowhere"])
def test_what_is_not_there_has_a_way_back(page: Page, site: Any, path: str) -> None:
    answer = page.goto(site.url + path)
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="overview").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is watched")


def test_an_address_that_cannot_be_understood_is_explained(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/cohorts?where=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("is not dimension=value")


def test_the_policy_stops_what_a_stranger_would_smuggle_in(browser: Browser, site: Any) -> None:
    page = browser.new_page()
    page.goto(site.url)
    stopped = page.evaluate(
        """() => new Promise((done) => {
          const seen = [];
          document.addEventListener("securitypolicyviolation", (e) => {
            seen.push(e.effectiveDirective);
            if (seen.length === 4) done(seen.sort());
          });
          const main = document.querySelector("main");
          main.insertAdjacentHTML("beforeend", '<img src="/static/icon.svg" onload="evil()">');
          main.insertAdjacentHTML("beforeend", '<p style="position:fixed">x</p>');
          main.insertAdjacentHTML("beforeend", '<img src="http://elsewhere.invalid/p.gif">');
          fetch("http://elsewhere.invalid/").catch(() => 0);
          setTimeout(() => done(seen.sort()), 3000);
        })"""
    )
    page.close()
    assert stopped == ["connect-src", "img-src", "script-src-attr", "style-src-attr"]


def test_letters_of_a_chart_stay_readable_on_a_phone(page: Page, site: Any) -> None:
    page.set_viewport_size(NARROW)
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    expect(page.locator("figure.chart svg.wide")).to_be_hidden()
    tick = page.locator("figure.chart svg.narrow text.tick").first.bounding_box()
    assert tick is not None
    assert tick["height"] >= 9
    times = page.locator("figure.chart svg.narrow text.tick[text-anchor=middle]").all()
    boxes = [found for each in times if (found := each.bounding_box())]
    assert len(boxes) >= 3
    for one, following in pairwise(boxes):
        assert one["x"] + one["width"] < following["x"]


def test_on_paper_there_are_charts_and_no_buttons(page: Page, site: Any) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{site.url}/incidents/{site.world.incident_id}")
    expect(page.locator("header.top")).to_be_hidden()
    expect(page.get_by_role("button", name="Approve")).to_be_hidden()
    shown = page.evaluate(
        """() => ["observed", "expected"].map((role) => {
          const style = getComputedStyle(document.querySelector(`.chart > svg.wide path.${role}`));
          return [style.stroke, style.strokeDasharray];
        })"""
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown[0][0] != shown[1][0]
    assert (shown[0][1], shown[1][1] != "none") == ("none", True)  # told apart without colour
    box = page.locator("figure.chart svg.wide").bounding_box()
    assert box is not None
    assert box["width"] > 300


def test_dark_and_light_follow_the_system(page: Page, site: Any) -> None:
    page.goto(site.url)
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(247, 246, 243)", "rgb(20, 22, 26)"]


def test_signing_in_looking_around_and_out_again(page: Page, closed_site: Any) -> None:
    page.goto(f"{closed_site.url}/audit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("navigation")).to_have_count(0)
    page.get_by_label("API key").fill("guessed")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not a valid API key")
    page.get_by_label("API key").fill("the-key-of-the-settings")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is watched")
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_text("the-key-of-the-settings")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(f"{closed_site.url}/incidents/{closed_site.world.incident_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_viewer_looks_and_does_not_decide(page: Page, closed_site: Any) -> None:
    page.goto(f"{closed_site.url}/signin")
    page.get_by_label("API key").fill(closed_site.key)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{closed_site.url}/incidents/{quote(closed_site.world.incident_id)}")
    expect(page.get_by_text("may look but not decide")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.goto(f"{closed_site.url}/settings")
    expect(page.get_by_role("heading", level=1)).to_have_text("This is not for you")
