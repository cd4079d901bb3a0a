"""The page that stands in for Slack, used by a person: real Bolt behind it, signed clicks."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from recoup.app import build, build_slack
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.clock import FixedClock
from recoup.settings import load
from recoup.web.app import build_web
from tests.pages.conftest import END, Desk, Site, World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SETTINGS = """
[slack]
bot_token = "xoxb-test"
signing_secret = "{secret}"
channel = "C1"
base_url = "{url}/api/"
gap_s = 0.0
people = {{ U_ANNA = ["responder", "approver"], U_BEN = ["approver"], U_VIEW = ["viewer"] }}
"""


@pytest.fixture(scope="module")
def channel(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A channel with the message of the shop's incident in it."""
    folder = shutil.copytree(recorded, tmp_path_factory.mktemp("slack-page") / "data")
    slack = SlackStandIn(SECRET)
    with Running(slack.app) as chat:
        slack.own_url = chat.url
        config = folder / "slack.toml"
        config.write_text(SETTINGS.format(secret=SECRET, url=chat.url))
        app, desk = build(load(config, data_dir=folder), clock=FixedClock(END)), Desk()
        with Running(build_web(app, desk, build_slack(app, desk).handler)) as running:
            slack.recoup_url = running.url
            incident = app.store.incidents.list()[0]
            with ThreadPoolExecutor(1) as thread:  # this one has the browser's loop
                thread.submit(asyncio.run, app.notifier.post(incident)).result(30)
            yield Site(chat.url, World(app, desk, incident.id))
        app.store.close()


@pytest.fixture
def page(browser: Browser, channel: Site) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    found, failed = context.new_page(), []
    found.on("pageerror", lambda error: failed.append(str(error)))
    found.goto(channel.url)
    yield found
    context.close()
    assert failed == []


def test_the_message_shows_what_broke_its_chart_and_its_buttons(page: Page) -> None:
    expect(page.locator(".head").first).to_be_visible()
    expect(page.get_by_text("os=iOS 16").first).to_be_visible()
    chart = page.locator("img.image")
    expect(chart).to_be_visible()
    page.wait_for_function("document.querySelector('img.image').naturalWidth > 400")
    assert chart.get_attribute("alt")
    for name in ("Approve", "Reject"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_approving_asks_once_more_and_the_answer_is_for_that_person(
    page: Page, channel: Site
) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        (dialog.dismiss if len(asked) == 1 else dialog.accept)()

    page.on("dialog", answer)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Noted: approve.")).to_have_count(0)
    assert channel.world.desk.decisions == []
    page.get_by_label("You are").select_option("U_BEN")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Noted: approve.")).to_be_visible(timeout=10_000)
    [decision] = channel.world.desk.decisions
    assert (decision.verdict, decision.by.roles) == ("approve", ("approver",))
    assert decision.surface == "slack"
    assert len(asked) == 2


def test_rejecting_by_keyboard_needs_a_reason(page: Page, channel: Site) -> None:
    before = len(channel.world.desk.decisions)
    page.get_by_role("button", name="Reject").focus()
    page.keyboard.press("Enter")
    reason = page.get_by_label("Why?")
    expect(reason).to_be_focused()
    expect(page.get_by_role("dialog").get_by_text("Nothing is done")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # without a reason the form stays
    expect(reason).to_be_focused()
    page.keyboard.type("it is the <new> widget & not this")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(reason).to_be_hidden()
    for _ in range(100):
        if channel.world.desk.decisions[before:]:
            break
        page.wait_for_timeout(100)
    [decision] = channel.world.desk.decisions[before:]
    assert decision.verdict == "reject"
    assert decision.reason == "it is the <new> widget & not this"


def test_going_back_from_the_form_decides_nothing(page: Page, channel: Site) -> None:
    before = len(channel.world.desk.decisions)
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Why?")).to_be_hidden()
    page.wait_for_timeout(300)
    assert channel.world.desk.decisions[before:] == []


def test_another_playbook_is_chosen_in_the_form_that_recoup_opens(
    page: Page, channel: Site
) -> None:
    before = len(channel.world.desk.decisions)
    page.get_by_label("More").first.select_option("other_playbook")
    chosen = page.get_by_label("Which one?")
    expect(chosen).to_be_visible()
    assert chosen.locator("option").all_text_contents() == ["notify only"]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name="Send").click()
    expect(chosen).to_be_hidden()
    for _ in range(100):
        if channel.world.desk.decisions[before:]:
            break
        page.wait_for_timeout(100)
    [decision] = channel.world.desk.decisions[before:]
    assert (decision.verdict, decision.playbook) == ("other_playbook", "notify_only")
