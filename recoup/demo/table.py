"""Several evenings in a row, each in a process of its own, and a table of how they went."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from recoup.domain.errors import InvalidInput

COLUMNS = ("seed", "drop", "ended", "right cohort", "right change", "sure", "detect", "closed", "s")


def numbers_of(text: str) -> list[int]:
    """Return the seeds of ``1-10`` or ``1,4,9``. Raises InvalidInput for anything else."""
    try:
        return [number for part in text.split(",") for number in _span(part)]
    except ValueError:
        raise InvalidInput(f"seeds are written 1-10 or 1,4,9, not {text!r}") from None


def _span(part: str) -> Iterator[int]:
    first, _, last = part.partition("-")
    yield from range(int(first), int(last or first) + 1)


def play_each(seeds: list[int], pace: float, say: Callable[[str], None]) -> bool:
    """Play the case for each seed with the button pressed; tell whether all went as they should."""
    say("| " + " | ".join(COLUMNS) + " |")
    say("|" + "---|" * len(COLUMNS))
    fine = True
    for seed in seeds:
        result = _play(seed, pace)
        fine &= bool(result.get("as_wanted"))
        say("| " + " | ".join(_cells(seed, result)) + " |")
    return fine


def _play(seed: int, pace: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "recoup", "demo", "--auto-approve", "--json"]
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [*command, "--seed", str(seed), "--pace", str(pace)],
        capture_output=True,
        text=True,
        check=False,
    )
    start = done.stdout.find("{")
    if start < 0:
        return {"resolution": f"failed: {done.stderr.strip()[-80:]}"}
    found: dict[str, Any] = json.loads(done.stdout[start:])
    return found


def _cells(seed: int, result: dict[str, Any]) -> list[str]:
    sure = result.get("first_probability")
    return [
        str(seed),
        f"{result.get('drop', 0):.0%}",
        str(result.get("resolution")),
        "yes" if result.get("right_cohort") else "no",
        "yes" if result.get("right_change") else "no",
        "" if sure is None else f"{sure:.0%}",
        f"{result.get('minutes_to_detect') or 0:.1f} min",
        f"{result.get('minutes_to_close') or 0:.1f} min",
        f"{result.get('wall_s', {}).get('total', 0):.0f}",
    ]
