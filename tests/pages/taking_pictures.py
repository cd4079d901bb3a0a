"""Takes the pictures of docs/images from a demo that is played for it: ``make pictures``.

The demo is kept running after its end; every page is taken light and dark, wide and narrow.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = {"wide": 1280, "narrow": 390}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = 128
TALLEST = 2600


@contextmanager
def demo(seed: str) -> Iterator[tuple[str, str]]:
    """Play the demo to its end; give the addresses of its Slack page and of Recoup."""
    command = [sys.executable, "-m", "recoup", "demo", "--auto-approve", "--keep", "--seed", seed]
    with tempfile.TemporaryDirectory() as data:
        playing = subprocess.Popen([*command, "--data", data], stdout=subprocess.PIPE, text=True)
        assert playing.stdout is not None
        try:
            said = ""
            for line in playing.stdout:
                sys.stdout.write(line)
                said += line
                if "press Ctrl-C" in line:
                    break
            slack = re.search(r"Slack page +(http\S+)", said)
            recoup = re.search(r"Recoup +(http\S+)", said)
            assert slack
            assert recoup
            yield slack[1], recoup[1]
        finally:
            playing.send_signal(signal.SIGINT)
            playing.wait(30)


def take(browser: Browser, url: str, name: str) -> None:
    """Take one page four times."""
    for scheme in SCHEMES:
        for width_name, width in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(url)
            page.wait_for_timeout(1500)
            taken = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
            taken = taken.crop((0, 0, taken.width, min(taken.height, TALLEST)))
            small = taken.quantize(COLOURS, dither=Image.Dither.NONE)
            small.save(IMAGES / f"{name}-{scheme}-{width_name}.png", optimize=True)
            context.close()


def main(seed: str) -> None:
    """Take every picture."""
    with demo(seed) as (slack, recoup), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"{recoup}/incidents")
        incident = page.locator("tbody th a").first.get_attribute("href")
        page.close()
        take(browser, recoup, "overview")
        take(browser, f"{recoup}{incident}", "incident")
        take(browser, f"{recoup}/business", "business")
        take(browser, slack, "slack")
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(IMAGES.glob("*.png"))}
    sys.stdout.write(json.dumps(sizes, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "3")
