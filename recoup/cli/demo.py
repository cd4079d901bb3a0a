"""``recoup demo``: break a shop, and watch it being found, asked about, repaired and proven."""

import logging
import signal
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.cli._shared import AsJson, show_json
from recoup.domain.errors import InvalidInput

if TYPE_CHECKING:
    from recoup.demo.playing import Play

TRUTH = {"browser": "Safari", "campaign": "ig_sale", "os": "iOS 16"}
READING = timedelta(minutes=2.5)
"""A person reads before pressing; meanwhile trials go on telling who is hit."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    seed: Annotated[int, typer.Option(help="Another seed is another evening.")] = 1,
    pace: Annotated[float, typer.Option(help="Shop seconds in a second of yours.")] = 20.0,
    auto_approve: Annotated[bool, typer.Option(help="Press the button by itself.")] = False,
    reject: Annotated[bool, typer.Option(help="Reject the proposal.")] = False,
    other_playbook: Annotated[
        bool, typer.Option(help="Ask for another playbook, and mend it by hand.")
    ] = False,
    wrong_first: Annotated[
        bool, typer.Option(help="The first proposal does not help; the next one does.")
    ] = False,
    automatic: Annotated[bool, typer.Option(help="Nobody is asked: a rule approves.")] = False,
    false_positive: Annotated[bool, typer.Option(help="Call it a false positive.")] = False,
    no_incident: Annotated[bool, typer.Option(help="A sale evening without a break.")] = False,
    keep: Annotated[bool, typer.Option(help="Leave everything running until Ctrl-C.")] = False,
    seeds: Annotated[
        str, typer.Option(help="Play several seeds one after the other: 1-10, or 1,4,9.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep; default a temporary one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Break a simulated shop behind a flag and watch Recoup find, ask, undo and prove.

    Exit code 0 only if it ended as it should: verified, or as the option says.

    Example: recoup demo --auto-approve --seed 7
    """
    # The SDK tells of each lost connection as the stand-ins end; the demo tells what matters.
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    from recoup.demo.table import numbers_of, play_each

    if seeds:
        if not play_each(numbers_of(seeds), pace, _say):
            raise typer.Exit(1)
        return
    endings = {
        "approve": auto_approve,
        "reject": reject,
        "other_playbook": other_playbook,
        "wrong_first": wrong_first,
        "automatic": automatic,
        "false_positive": false_positive,
        "no_incident": no_incident,
    }
    chosen = [name for name, wanted in endings.items() if wanted]
    if len(chosen) > 1:
        raise InvalidInput(f"an evening has one ending, not {len(chosen)}: {', '.join(chosen)}")
    folder = data or Path(tempfile.mkdtemp(prefix="recoup-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not _run(seed, pace, chosen[0] if chosen else "ask", folder.resolve(), keep, as_json):
        raise typer.Exit(1)


def _run(seed: int, pace: float, ending: str, folder: Path, keep: bool, as_json: bool) -> bool:
    from recoup.demo.playing import Plan, Play

    said = _quiet if as_json else _say
    # Whoever ends the demo, by Ctrl-C or otherwise, gets everything ended with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    play = Play(Plan(seed=seed, pace=pace, ending=ending), folder, said)
    try:
        with play.running():
            result = _play(play, said)
            result["wall_s"]["total"] = round(time.monotonic() - began, 1)
            show_json(result) if as_json else _print(result)
            if keep:
                said("Everything is left running; press Ctrl-C to end it.")
                while True:
                    time.sleep(1)
    except KeyboardInterrupt:
        said("Stopped.")
        raise typer.Exit(130) from None
    return bool(result["as_wanted"])


def _say(text: str) -> None:
    print(text, flush=True)


def _quiet(_text: str) -> None:
    return


def _play(play: "Play", say: Any) -> dict[str, Any]:
    from rich.progress import Progress

    began = time.monotonic()
    wall: dict[str, float] = {}
    with Progress(transient=True, disable=say is _quiet) as bars:
        bar = bars.add_task("A week of history", total=1.0)
        events = play.load_history(lambda done: bars.update(bar, completed=done))
        play.wait_for_detector(lambda lag: bars.update(bar, description=f"Learning, {lag} left"))
    wall["history"] = round(time.monotonic() - began, 1)
    say(f"{events:,} events of history learned in {wall['history']} s. The sale is on.")
    say(f"  Slack page     {play.slack_url}\n  Recoup         {play.url}")
    play.calm()
    if play.plan.ending == "no_incident":
        began_at = play.clock.now()
        play.sleep(timedelta(minutes=12))
        return _without_incident(play, began_at, wall)
    broken_at = play.turn_widget_on()
    say(f"{broken_at:%H:%M:%S} Somebody turns a payment widget on (times are the shop's).")
    if play.plan.ending == "wrong_first":
        say("         With it comes another change that looks as guilty, and is not.")
    return _follow(play, broken_at, wall, say)


def _without_incident(play: "Play", began_at: datetime, wall: dict[str, float]) -> dict[str, Any]:
    from recoup.demo.telling import timeline_of

    found = play.incidents()
    watched = (play.clock.now() - began_at).total_seconds() / 60
    said = f"The sale runs, nothing is broken. {watched:.0f} minutes later: {len(found)} incidents."
    opened = [fact for each in reversed(found) for fact in play.facts(each["id"])[:1]]
    timeline = timeline_of(opened, began_at, said)
    return {
        "ending": "no_incident",
        "as_wanted": not found,
        "incidents": len(found),
        "seed": play.plan.seed,
        "wall_s": wall,
        "timeline": timeline,
    }


def _follow(play: "Play", broken_at: datetime, wall: dict[str, float], say: Any) -> dict[str, Any]:
    """Watch the incident until it is closed, pressing what is to be pressed."""
    from recoup.demo.endings import ENDINGS
    from recoup.demo.telling import Teller

    began = time.monotonic()
    limit = ENDINGS[play.plan.ending].within_s
    teller, pressed = Teller(say), 0
    incident: dict[str, Any] = {}
    while time.monotonic() - began < limit:
        found = [i for i in play.incidents() if datetime.fromisoformat(i["opened_at"]) > broken_at]
        incident = found[-1] if found else {}
        if incident:
            wall.setdefault("noticed", round(time.monotonic() - began, 1))
            facts = play.facts(incident["id"])
            teller.tell(facts)
            # A sharper picture voids an older question; the one that stands is answered.
            asked = sum(fact["type"] == "proposal.made" for fact in facts)
            if incident["status"] == "awaiting_approval" and pressed < asked:
                pressed = asked if _press(play, incident, say) else pressed
            if incident["status"] == "closed":
                break
        time.sleep(0.5)
    wall["closed"] = round(time.monotonic() - began, 1)
    return _result(play, incident, broken_at, wall)


def _press(play: "Play", incident: dict[str, Any], say: Any) -> bool:
    from recoup.demo.endings import ENDINGS

    if play.plan.ending == "ask":
        say(f"Recoup asks: press a button at {play.slack_url}")
        return True
    wish = ENDINGS[play.plan.ending].presses(incident["proposal"])
    if wish is None:
        return True
    then = "mends it by hand, and says so" if wish.mends_by_hand else wish.button.replace("_", " ")
    who = "Somebody" if wish.button == "other_playbook" else "Anna"
    say(f"         ... {who} reads for {READING.total_seconds() / 60:g} minutes, then: {then}")
    play.sleep(READING)
    return play.press(wish, incident)


def _result(
    play: "Play", incident: dict[str, Any], broken_at: datetime, wall: dict[str, float]
) -> dict[str, Any]:
    from recoup.demo.endings import ENDINGS
    from recoup.demo.telling import timeline_of

    evening = play.evening(incident)
    ranked = (incident.get("attribution") or {}).get("hypotheses") or [{}]
    first = str(ranked[0].get("change_id", ""))
    opened = incident.get("opened_at")
    detect = (datetime.fromisoformat(opened) - broken_at).total_seconds() / 60 if opened else None
    closed = incident.get("closed_at")
    resolve = (datetime.fromisoformat(closed) - broken_at).total_seconds() / 60 if closed else None
    return {
        "seed": play.plan.seed,
        "ending": play.plan.ending,
        "as_wanted": ENDINGS[play.plan.ending].held(evening),
        "resolution": incident.get("resolution"),
        "drop": round(play.shop.fault.drop, 3),
        "metric": incident.get("metric"),
        "cohort": incident.get("cohort"),
        "right_cohort": incident.get("cohort") == TRUTH,
        "first_cause": first,
        "first_cause_title": str(ranked[0].get("title", "")),
        "first_probability": ranked[0].get("probability"),
        "right_change": first.startswith("launchdarkly:"),
        "minutes_to_detect": detect and round(detect, 1),
        "minutes_to_close": resolve and round(resolve, 1),
        "lost": (incident.get("impact") or {}).get("lost_so_far"),
        "recovered_per_hour": incident.get("recovered_per_hour"),
        "check": incident.get("check"),
        "wall_s": wall,
        "timeline": timeline_of(evening.facts, broken_at, "The widget is turned on."),
    }


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if result.get("timeline"):
        table = Table(title="What happened", title_justify="left", header_style="bold")
        table.add_column("shop time")
        table.add_column("after the break", justify="right")
        table.add_column("what")
        for row in result["timeline"]:
            table.add_row(row["at"], f"{row['minutes']:+.1f} min", escape(row["what"]))
        console.print(table)
    summary = Table(title="How it went", title_justify="left", show_header=False)
    for name, value in _summary(result):
        summary.add_row(name, escape(value))
    console.print(summary)


def _summary(result: dict[str, Any]) -> list[tuple[str, str]]:
    if result["ending"] == "no_incident":
        return [("incidents", str(result["incidents"])), ("as it should", _yes(result))]
    cohort = ", ".join(f"{name}={value}" for name, value in (result["cohort"] or {}).items())
    sure = result["first_probability"]
    first = result["first_cause_title"] or result["first_cause"]
    state = str(result["resolution"] or "still open").replace("_", " ")
    ended = "recover" if "recovered" in str(result["resolution"]) else "end"
    rows = [
        ("the break", f"{result['drop']:.0%} of payments lost in that cohort"),
        ("cohort", f"{cohort or 'none'} ({_right(result['right_cohort'])})"),
        ("first cause", f"{first or 'none'} ({_right(result['right_change'])})"),
        ("how sure", "" if sure is None else f"{sure:.0%}"),
        ("time to detect", _minutes(result["minutes_to_detect"])),
        (f"time to {ended}", _minutes(result["minutes_to_close"])),
        ("lost until then", _money(result["lost"])),
        ("saved an hour", _money(result["recovered_per_hour"])),
        ("ended", f"{state} ({'as it should' if result['as_wanted'] else 'wrong'})"),
        ("your time", f"{result['wall_s']['total']} s"),
    ]
    return [(name, value) for name, value in rows if value]


def _yes(result: dict[str, Any]) -> str:
    return "yes" if result["as_wanted"] else "no"


def _right(is_right: bool) -> str:
    return "right" if is_right else "wrong"


def _minutes(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} min of shop time"


def _money(value: dict[str, Any] | None) -> str:
    if not value:
        return ""
    return f"{value['mid']:,.0f} {value['currency']} ({value['low']:,.0f} to {value['high']:,.0f})"
