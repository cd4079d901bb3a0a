"""Takes the pictures of docs/images: ``make pictures``.

The shop is that of the page tests: simulated traffic, a widget that breaks, the real detector and
the real ranking of causes; the message in the chat is posted by the real client to the stand-in's
page. The weeks before, for the page of the business, are invented. With a folder (``make pictures
ARGS=out/looks``) every page is taken there instead, also as it is printed, to be looked at.
"""

import asyncio
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from recoup.app import build
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.changes import Change
from recoup.domain.clock import FixedClock
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    Fact,
    IncidentClosed,
    IncidentKind,
    IncidentOpened,
    NewFact,
    Resolution,
    Severity,
)
from recoup.domain.money import Impact, MoneyRange
from recoup.settings import load
from recoup.web.app import build_web
from tests.pages.conftest import BROKEN, END, FLAG, Desk, make_shop

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = {"wide": 1280, "narrow": 390}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS, TALLEST = 96, 2400
DECODED = "Promise.all([...document.images].map(each => each.decode()))"
PAST_WEEKS = 11
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
CHAT = """
[slack]
bot_token = "xoxb-pictures"
signing_secret = "{secret}"
channel = "C1"
base_url = "{url}/api/"
gap_s = 0.0
people = {{ U_ANNA = ["responder", "approver"] }}
"""
CHANGES = (
    Change(id=FLAG, kind="flag", time=BROKEN, title="payment-widget-v2 turned on",
           ref="payment-widget-v2", scope={"os": ["iOS 16", "iOS 17"]},
           undo={"action": "flag_rollback", "flag": "payment-widget-v2", "project": "shop"}),
    Change(id="campaign:ig", kind="campaign", time=BROKEN - timedelta(hours=3),
           title="Instagram budget doubled", scope={"campaign": "ig_sale"}),
    Change(id="price:77", kind="price", time=BROKEN - timedelta(hours=5),
           title="Winter shoes 10 % cheaper", scope={"category": "shoes"}),
)  # fmt: skip


def past(chance: random.Random) -> Iterator[tuple[str, list[Fact]]]:
    """Yield invented incidents of the weeks before, each with its facts."""
    for week in range(1, PAST_WEEKS + 1):
        for number in range(chance.choice((0, 1, 1, 2, 3))):
            name = f"past-{week}-{number}"
            onset = END - timedelta(weeks=week, hours=chance.uniform(0, 60))
            opened = onset + timedelta(minutes=chance.uniform(4, 30))
            risk = chance.uniform(300, 4000)
            hours = chance.uniform(0.4, 3.0)
            false = chance.random() < 0.12
            yield name, [
                IncidentOpened(
                    incident_id=name, kind=IncidentKind.BUSINESS, severity=Severity.HIGH,
                    metric="checkout_started->order_completed", cohort=Cohort({"country": "DE"}),
                    direction="drop", onset_at=onset, opened_at=opened, expected=0.8,
                    observed=0.5, trials=300, at_risk_per_hour=money(risk), alarm_id=name),
                IncidentClosed(
                    incident_id=name, closed_at=onset + timedelta(hours=hours),
                    resolution=Resolution.FALSE_POSITIVE if false else Resolution.RECOVERED,
                    impact=Impact(at_risk_per_hour=money(risk), lost_so_far=money(risk * hours)),
                    recovered_per_hour=None if false else money(0.9 * risk)),
            ]  # fmt: skip


def money(mid: float) -> MoneyRange:
    return MoneyRange(low=0.8 * mid, mid=mid, high=1.2 * mid)


def take(browser: Browser, url: str, name: str, folder: Path = IMAGES) -> None:
    """Take one page light and dark, wide and narrow."""
    for scheme in SCHEMES:
        for width_name, width in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(url)
            page.locator("main h1, main article").first.wait_for()
            page.evaluate(DECODED)
            taken = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
            taken = taken.crop((0, 0, taken.width, min(taken.height, TALLEST)))
            small = taken.quantize(COLOURS, dither=Image.Dither.NONE)
            small.save(folder / f"{name}-{scheme}-{width_name}.png", optimize=True)
            context.close()


def take_printed(browser: Browser, url: str, name: str, folder: Path) -> None:
    """Take one page as it comes out of a printer."""
    context = browser.new_context(viewport={"width": 794, "height": 1123})
    page = context.new_page()
    page.goto(url)
    page.emulate_media(media="print")
    page.screenshot(path=folder / f"{name}-print.png", full_page=True)
    context.close()


@contextmanager
def opened(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Serve the shop and its chat; yield both addresses and the incident's id."""
    folder.mkdir()
    make_shop(folder, CHANGES)
    slack = SlackStandIn(SECRET)
    with Running(slack.app) as chat:
        slack.own_url = chat.url
        config = folder / "slack.toml"
        config.write_text(CHAT.format(secret=SECRET, url=chat.url))
        app = build(load(config, data_dir=folder), clock=FixedClock(END))
        incident = app.store.incidents.list()[0]
        with ThreadPoolExecutor(1) as thread:  # this one has the browser's loop
            thread.submit(asyncio.run, app.notifier.post(incident)).result(30)
        for name, facts in past(random.Random(7)):
            at = next(fact.opened_at for fact in facts if isinstance(fact, IncidentOpened))
            new = [
                NewFact(fact_id=f"{name}-{n}", fact=f, occurred_at=at) for n, f in enumerate(facts)
            ]
            app.store.append(name, new)
        with Running(build_web(app, Desk())) as running:
            yield running.url, chat.url, incident.id
        app.store.close()


@contextmanager
def empty(folder: Path) -> Iterator[str]:
    """Serve a Recoup that has seen nothing, and where people sign in."""
    folder.mkdir()
    config = folder / "empty.toml"
    config.write_text('api_keys = ["the-key-of-the-settings"]\n' if folder.name == "closed" else "")
    app = build(load(config, data_dir=folder), clock=FixedClock(END))
    with Running(build_web(app, Desk())) as running:
        yield running.url
    app.store.close()


def for_the_docs(browser: Browser, url: str, chat: str, incident: str) -> None:
    """Take what docs/images has."""
    take(browser, url, "overview")
    take(browser, f"{url}/incidents/{incident}", "incident")
    take(browser, f"{url}/business", "business")
    take(browser, chat, "slack")
    sizes = {path.name: path.stat().st_size for path in sorted(IMAGES.glob("*.png"))}
    sys.stdout.write(json.dumps(sizes, indent=1) + "\n")


def everything(browser: Browser, url: str, incident: str, folder: Path) -> None:
    """Take every page of the shop, and on paper."""
    pages = {
        "overview": "/",
        "incidents": "/incidents",
        "incident": f"/incidents/{incident}",
        "report": f"/incidents/{incident}/report",
        "cohorts": "/cohorts?where=os%3DiOS+16",
        "everyone": "/cohorts",
        "changes": "/changes",
        "change": f"/changes/{FLAG}",
        "playbooks": "/playbooks",
        "business": "/business",
        "audit": "/audit",
        "settings": "/settings",
        "nowhere": "/nowhere",
    }
    for name, path in pages.items():
        take(browser, url + path, name, folder)
        take_printed(browser, url + path, name, folder)


def main(made: Path, folder: Path | None) -> None:
    """Make the shop in a folder and take the pictures."""
    with opened(made / "shop") as (url, chat, incident), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        if folder is None:
            for_the_docs(browser, url, chat, incident)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            everything(browser, url, incident, folder)
            take(browser, chat, "slack", folder)
            with empty(made / "empty") as bare:
                for path in ("", "cohorts", "changes", "business", "audit", "incidents"):
                    take(browser, f"{bare}/{path}", f"empty-{path or 'overview'}", folder)
            with empty(made / "closed") as closed:
                take(browser, f"{closed}/signin", "signin", folder)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary), Path(sys.argv[1]) if sys.argv[1:] else None)
