"""An ending counts only when the facts say so; however the demo is ended, no child is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from recoup.demo.endings import ENDINGS, Evening

APPROVED = (
    "decision.taken",
    {"accepted": True, "decision": {"verdict": "approve", "surface": "slack"}},
)
APPLIED = ("action.applied", {"result": {"detail": ""}})
STARTED = ("action.started", {})
UNDONE = ("action.undone", {"restored": True})


def verdict(name: str) -> tuple[str, dict[str, Any]]:
    return "verification.concluded", {"check": {"verdict": name}}


def evening(
    resolution: str,
    *facts: tuple[str, dict[str, Any]],
    widget_is_on: bool = False,
    decoy_is_on: bool = True,
) -> Evening:
    listed = [{"type": name, "fact": content} for name, content in facts]
    return Evening({"resolution": resolution}, listed, widget_is_on, decoy_is_on)


def test_approve_needs_the_deed_and_not_only_the_word() -> None:
    ending = ENDINGS["approve"]
    assert ending.held(evening("recovered", APPROVED, APPLIED))
    assert not ending.held(evening("recovered", APPROVED))
    assert not ending.held(evening("recovered", APPROVED, APPLIED, widget_is_on=True))
    assert not ending.held(evening("recovered_on_its_own", APPLIED))
    assert not ending.held(evening("", APPLIED))


def test_reject_and_false_positive_need_everything_untouched() -> None:
    feedback = ("feedback.given", {})
    assert ENDINGS["reject"].held(evening("rejected", widget_is_on=True))
    assert not ENDINGS["reject"].held(evening("rejected", STARTED, widget_is_on=True))
    assert ENDINGS["false_positive"].held(evening("false_positive", feedback, widget_is_on=True))
    assert not ENDINGS["false_positive"].held(evening("false_positive", widget_is_on=True))


def test_wrong_first_needs_the_first_undone_and_the_second_proven() -> None:
    story = (APPLIED, verdict("not_recovered"), UNDONE, APPLIED, verdict("recovered"))
    ending = ENDINGS["wrong_first"]
    assert ending.held(evening("recovered", *story))
    assert not ending.held(evening("recovered", APPLIED, verdict("recovered")))
    assert not ending.held(evening("recovered", *story, decoy_is_on=False))


def test_automatic_needs_that_nobody_pressed() -> None:
    by_rule = (
        "decision.taken",
        {"accepted": True, "decision": {"verdict": "approve", "surface": "rule"}},
    )
    assert ENDINGS["automatic"].held(evening("recovered", by_rule, APPLIED))
    assert not ENDINGS["automatic"].held(evening("recovered", APPROVED, APPLIED))


def test_other_playbook_needs_the_other_one() -> None:
    other = (
        "decision.taken",
        {"accepted": True, "decision": {"verdict": "other_playbook", "surface": "api"}},
    )
    by_hand = ("proposal.made", {"proposal": {"playbook": "notify_only"}})
    ending = ENDINGS["other_playbook"]
    assert ending.held(evening("recovered", other, by_hand, APPROVED))
    assert not ending.held(evening("recovered", APPROVED, APPLIED))
    first = ending.presses({"playbook": "flag_rollback"})
    second = ending.presses({"playbook": "notify_only"})
    assert first is not None
    assert (first.button, first.playbook) == ("other_playbook", "notify_only")
    assert second is not None
    assert second.mends_by_hand


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command + environment:
            found.append(command.replace(b"\0", b" ").decode())
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_demo_is_ended_no_child_is_left(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "recoup", "demo", "--data", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Who starts the tests in the background has them ignore SIGINT; a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until = time.monotonic() + 60
        while len(processes_of(folder)) < 5 and time.monotonic() < until:
            time.sleep(0.1)  # the demo, serve, Temporal, api, detect
        assert len(processes_of(folder)) >= 5
        demo.send_signal(number)
        demo.wait(40)
        until = time.monotonic() + 10
        while processes_of(folder) and time.monotonic() < until:
            time.sleep(0.1)
        assert processes_of(folder) == []
    finally:
        demo.kill()
        demo.wait()
