"""Makes one recorded period: events, changes and the truth."""

import json
from pathlib import Path

from recoup.demo.world.causes import timeline
from recoup.demo.world.journeys import World
from recoup.demo.world.kinds import KINDS, Scene
from recoup.demo.world.recording import record, start_of, write_events
from recoup.demo.world.shop import Shop, draw, open_shop
from recoup.demo.world.truth import Period, tell
from recoup.demo.world.visits import arrive, chances

EVENTS, CHANGES, TRUTH, WORLD = "events.ndjson.gz", "changes.ndjson", "truth.json", "world.json"
QUIET = "none"


def pick(seed: int, fault: str) -> str:
    """Return the kind of fault meant: itself, or a random one that belongs to the seed."""
    names = (*KINDS, QUIET)
    return str(draw(seed, 8).choice(names)) if fault == "random" else fault


def scene_of(shop: Shop, fault: str) -> Scene:
    """Return the sessions of a shop before a fault is drawn."""
    visits = arrive(shop)
    purpose = 100 + (list(KINDS).index(fault) if fault in KINDS else len(KINDS))
    return Scene(shop, visits, chances(shop, visits), draw(shop.seed, purpose))


def generate(
    seed: int, fault: str, out: Path, days: float = 8, sessions_per_day: float = 13_000
) -> Period:
    """Write a recorded period into a folder and return what it holds."""
    shop, name = open_shop(seed, days, sessions_per_day), pick(seed, fault)
    scene = scene_of(shop, name)
    faults = KINDS[name](scene) if name != QUIET else []
    world = World(shop, scene.visits, scene.chances, faults)
    world.play()
    recording = record(world)
    changes, blamed = timeline(shop, faults)
    truths = tell(world, blamed)
    out.mkdir(parents=True, exist_ok=True)
    write_events(shop, scene.visits, recording, out / EVENTS)
    lines = (change.model_dump_json(exclude_defaults=True) for change in changes)
    (out / CHANGES).write_text("".join(f"{line}\n" for line in lines))
    found = Period(
        seed=seed,
        fault=name,
        days=days,
        sessions=len(scene.visits),
        events=len(recording),
        start=start_of(shop),
        truths=truths,
    )
    plain = found.model_dump(mode="json")
    (out / TRUTH).write_text(json.dumps(plain.pop("truths"), indent=1) + "\n")
    (out / WORLD).write_text(json.dumps(plain, indent=1) + "\n")
    return found


def read_period(folder: Path) -> Period:
    """Return what a generated folder holds."""
    plain = json.loads((folder / WORLD).read_text())
    return Period.model_validate({**plain, "truths": json.loads((folder / TRUTH).read_text())})
