"""Every page against axe-core, light and dark, wide and narrow: nothing serious, nothing critical.

axe sees what a machine can see: names, roles, contrast, order. It does not see whether a chart is
understood; what else is done for that is in the tests of the browser.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
]
FLAG = "launchdarkly:payment-widget-v2:7"
PAGES = (
    "/",
    "/incidents",
    "/incidents/{incident}",
    "/incidents/{incident}/report",
    "/cohorts?where=os%3DiOS+16",
    "/changes",
    f"/changes/{FLAG}",
    "/playbooks",
    "/business",
    "/audit",
    "/settings",
    "/nowhere",
)
GRAVE = ("serious", "critical")
AXE = Axe().axe_script
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
RUN = "options => axe.run(options).then(found => found.violations)"
OPEN = "[...document.querySelectorAll('details')].slice(0, 5).forEach(each => each.open = true)"
LOOKS: tuple[tuple[Literal["light", "dark"], int, bool], ...] = (
    ("light", 1280, True),
    ("light", 390, False),  # the sheet has no colour that depends on the width,
    ("dark", 1280, False),  # and measuring contrast is most of the time
    ("dark", 390, True),
)

Examined = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def examined(window: Page) -> Examined:
    """Load a page once and return what axe finds grave, in each scheme and width."""

    def examine(url: str) -> list[str]:
        window.goto(url)
        window.evaluate(OPEN)
        window.evaluate(AXE)
        found = []
        for scheme, width, contrast in LOOKS:
            window.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            window.set_viewport_size({"width": width, "height": 900})
            found += [f"{scheme} {width}: {each}" for each in grave(window, contrast=contrast)]
        return found

    return examine


def grave(window: Page, *, contrast: bool = True) -> list[str]:
    """Return what axe, loaded before, finds grave in the window as it is."""
    options = {**OPTIONS, "rules": {"color-contrast": {"enabled": contrast}}}
    violations: list[dict[str, Any]] = window.evaluate(RUN, options)
    return [
        f"{broken['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')}"
        for broken in violations
        if broken["impact"] in GRAVE
        for node in broken["nodes"][:3]
    ]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_grave_on_a_page(examined: Examined, site: Any, path: str) -> None:
    assert examined(site.url + path.format(incident=site.world.incident_id)) == []


@pytest.mark.parametrize("path", ["/", "/cohorts", "/business"])
def test_nothing_grave_on_an_empty_page(examined: Examined, empty_site: Any, path: str) -> None:
    assert examined(empty_site.url + path) == []


def test_nothing_grave_where_people_sign_in(examined: Examined, closed_site: Any) -> None:
    assert examined(f"{closed_site.url}/signin") == []


def test_axe_would_see_it(window: Page, site: Any) -> None:
    window.goto(site.url)
    window.evaluate("document.querySelector('main').innerHTML = '<button></button>'")
    window.evaluate(AXE)
    assert [each.partition(":")[0] for each in grave(window)] == ["button-name"]


def test_nothing_grave_on_the_page_that_stands_in_for_slack(examined: Examined) -> None:
    slack = SlackStandIn("secret")
    slack.messages.append(MESSAGE)
    with Running(slack.app) as running:
        assert examined(running.url) == []


BUTTON = {"type": "button", "action_id": "approve", "text": {"text": "Approve"}}
MESSAGE = {
    "ts": "1.1",
    "channel": "C1",
    "text": "",
    "thread_ts": "",
    "blocks": [
        {"type": "header", "text": {"text": "Checkout fell"}},
        {"type": "section", "text": {"text": "*os=iOS 16* since 19:00"}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "90 % likely"}]},
        {
            "type": "actions",
            "elements": [
                {**BUTTON, "style": "primary"},
                {**BUTTON, "action_id": "reject", "style": "danger"},
                {**BUTTON, "action_id": "acknowledge"},
                {"type": "overflow", "options": [{"text": {"text": "Snooze"}, "value": "snooze"}]},
            ],
        },
    ],
}
