"""``recoup replay``: read models made anew, and today's detector beside what it found then."""

from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import Config, Data, opened, settings_of
from recoup.domain.facts import Recorded
from recoup.domain.series import EventBlock
from recoup.settings import Settings

if TYPE_CHECKING:
    from detectors.engine import DetectionEngine
    from store.opening import Store

DETECTOR = "detector"
FOUND = ("alarm.raised", "incident.opened", "incident.updated", "incident.cohort_recovered")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    config: Config = None,
    data: Data = None,
    start: Annotated[
        int, typer.Option("--from", help="Where the detector starts: the last snapshot before.")
    ] = 0,
    projection: Annotated[
        str, typer.Option(help="incidents, changes or detector; empty for all.")
    ] = "",
) -> None:
    """Rebuild projections from the log.

    The read models are emptied and folded again. The detector runs over the log beside the live
    one and nothing is written: what it finds is compared with what it found then, bit for bit.
    Exit code 1 when that differs, as it will after a change of its settings or its code.

    Example: recoup replay --projection detector --from 250000
    """
    from store.projections import READ_MODELS
    from store.rebuilding import rebuild

    settings = settings_of(config, data)
    differs = False
    with opened(settings) as store, _Bar() as bar:
        models = [name for name in READ_MODELS if projection in ("", name)]
        if models:
            facts = rebuild(store.database, models, bar.of(", ".join(models)))
            bar.say(f"{', '.join(models)}: {facts} facts folded")
        elif projection != DETECTOR:
            raise typer.BadParameter(f"there is no projection {projection!r}")
        if projection in ("", DETECTOR):
            differs = _compare(store, settings, start, bar)
    if differs:
        raise typer.Exit(1)


class _Bar:
    """Progress on the terminal, on the error stream so that it spoils no pipe."""

    def __enter__(self) -> "_Bar":
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def of(self, name: str) -> "_Step":
        return _Step(self, name)

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False)

    def add(self, name: str) -> int:
        return int(self._progress.add_task(name))

    def move(self, task: int, done: int, total: int) -> None:
        self._progress.update(task, completed=done, total=total)  # type: ignore[arg-type]  # an int


class _Step:
    def __init__(self, bar: _Bar, name: str) -> None:
        self._bar, self._task = bar, bar.add(name)

    def __call__(self, done: int, total: int) -> None:
        self._bar.move(self._task, done, total)


def _compare(store: "Store", settings: Settings, start: int, bar: _Bar) -> bool:
    """Run the detector over the log; tell whether it now finds other facts than it did."""
    until = store.checkpoint(DETECTOR)
    engine, position = _engine_at(store, settings, start)
    known = {entry.fact_id: entry for entry in _recorded(store)}
    first, found, step = position, set[str](), bar.of(DETECTOR)
    different: list[str] = []
    while position < until and (records := store.read(position, 20_000)):
        for record in records:
            position = _feed(engine, record)
            for _stream, new in engine.advance().facts:
                found.add(new.fact_id)
                before = known.get(new.fact_id)
                if before is None:
                    different.append(f"new: {new.fact.type_name} at {new.occurred_at}")
                elif before.fact != new.fact:
                    different.append(f"other content: {new.fact.type_name} {new.fact_id}")
            if position >= until:
                break
        step(position, until)
    if first == 0:
        lost = [entry for name, entry in known.items() if name not in found]
        different += [f"no more: {entry.fact.type_name} at {entry.occurred_at}" for entry in lost]
    bar.say(f"detector: positions {first + 1} to {position}, {len(found)} facts found again")
    for line in different:
        bar.say(line)
    return bool(different)


def _engine_at(store: "Store", settings: Settings, start: int) -> tuple["DetectionEngine", int]:
    from detectors.engine import DetectionConfig, DetectionEngine

    config = DetectionConfig.from_settings(
        settings.detect, currency=settings.currency, shadow=settings.response.shadow
    )
    found = store.latest_snapshot(DETECTOR, until=start) if start else None
    if found is None:
        return DetectionEngine(config), 0
    position, payload = found
    return DetectionEngine.restore(config, payload), position


def _recorded(store: "Store") -> list[Recorded]:
    found: list[Recorded] = []
    while more := store.read_facts(found[-1].position if found else 0, 1000, FOUND):
        found += more
    return found


def _feed(engine: "DetectionEngine", record: EventBlock | Recorded) -> int:
    if isinstance(record, EventBlock):
        engine.observe_events(record)
        return record.first_position + record.count - 1
    engine.observe_fact(record)
    return record.position
