"""Layers are found by themselves, find what is odd to them, are silent otherwise, and survive."""

import doctest
import importlib
import math
import pickle
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import detectors.layers
from detectors.columns import Columns
from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from detectors.layering.contract import SeriesLayer, SessionLayer
from detectors.layering.registry import is_installed, known_layers, layers_named
from detectors.layering.sessions import SessionFeatures
from recoup.demo.shop import Fault, Shop
from recoup.domain.errors import ConfigurationError
from recoup.domain.facts import IncidentOpened, LayerAlarmed
from recoup.domain.series import EventBlock
from recoup.settings import load

ROOT = Path(__file__).parents[2]
END = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
SESSION = [name for name, kind in known_layers().items() if issubclass(kind, SessionLayer)]
SERIES = [name for name, kind in known_layers().items() if issubclass(kind, SeriesLayer)]


def test_every_file_is_a_layer_and_every_layer_is_on_the_page() -> None:
    files = {path.stem for path in Path(detectors.layers.__path__[0]).glob("[!_]*.py")}
    assert set(known_layers()) == files == {*SESSION, *SERIES}
    page = (ROOT / "docs" / "layers.md").read_text()
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(set(rows)) == sorted(files)
    with pytest.raises(ConfigurationError, match="ewma"):
        layers_named(["crystal_ball"])
    assert load().detect.layers == ()


def test_a_layer_whose_package_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = known_layers()["ewma"]
    monkeypatch.setattr(layer, "needs", ("no_such_package", "extra"))
    with pytest.raises(ConfigurationError, match=r"pip install 'recoup\[extra\]'"):
        layers_named(["ewma"])


def test_every_extra_is_one_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    needed = [layer.needs for layer in known_layers().values() if layer.needs]
    assert needed
    for package, extra in needed:
        assert [each.partition(">=")[0] for each in extras[extra]] == [package]


@pytest.mark.parametrize("name", sorted(known_layers()))
def test_the_examples_hold(name: str) -> None:
    module = importlib.import_module(f"detectors.layers.{name}")
    found = doctest.testmod(module, extraglobs={"np": np})
    assert found.failed == 0


@pytest.mark.parametrize("name", SESSION)
def test_a_session_unlike_all_others_is_odder(name: str) -> None:
    rng = np.random.default_rng(1)
    usual = rng.normal(0.0, 0.3, (600, 6))
    usual[:, 3] = usual[:, 2] * 2
    layer = known_layers()[name]()
    assert isinstance(layer, SessionLayer)
    layer.fit(usual)
    strange = np.array([[3.0, -4.0, 4.0, -4.0, 4.0, -3.0]])
    assert layer.score(strange)[0] > np.quantile(layer.score(usual), 0.98)
    again = known_layers()[name]()
    assert isinstance(again, SessionLayer)
    again.fit(usual)
    assert again.score(strange)[0] == pytest.approx(layer.score(strange)[0])


@pytest.mark.parametrize("name", SERIES)
def test_an_hour_far_below_its_season_is_odder(name: str) -> None:
    if not is_installed(known_layers()[name]):
        pytest.skip(f"{name} needs {known_layers()[name].needs}")
    rng = np.random.default_rng(2)
    layer = known_layers()[name]()
    assert isinstance(layer, SeriesLayer)
    past = [
        layer.surprise(math.sin(hour % 24 / 24 * math.tau) + rng.normal(0, 0.05), hour)
        for hour in range(24 * 8)
    ]
    assert past[0] is None
    usual = [each for each in past[24 * 4 :] if each is not None]
    assert len(usual) > 90
    again = pickle.loads(pickle.dumps(layer))  # as the detector's snapshot keeps it
    fallen = layer.surprise(-4.0, 24 * 8)
    assert fallen is not None
    assert fallen < min(usual)
    assert again.surprise(-4.0, 24 * 8) == fallen


def columns(rows: list[tuple[int, int, int]]) -> Columns:
    time, session, kind = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    text = np.zeros(len(rows), dtype=np.int64)
    return Columns(time, np.arange(len(rows)), session, kind, text, time)


def test_a_session_counts_once_when_complete_or_idle() -> None:
    funnel = ("view", "cart", "order")
    types = {"view": 0, "cart": 1, "order": 2, "script_error": 3}
    features = SessionFeatures(funnel)
    rows = [(0, 0, 0), (10_000, 1, 0), (30_000, 0, 1), (50_000, 0, 3), (55_000, 0, 2)]
    assert features.take(columns(rows), types, 0, 60_000).tolist() == [0]
    made = dict(zip(features.names, features.features(np.array([0]))[0], strict=True))
    assert made["deepest_step"] == 2
    assert made["count:script_error"] == pytest.approx(np.log1p(1))
    assert made["duration"] == made["time_to_deepest"] == pytest.approx(np.log1p(55))
    assert made["longest_gap"] == pytest.approx(np.log1p(30))
    more = [(70_000, 0, 0)]
    assert features.take(columns(more), types, 60_000, 120_000).tolist() == []
    over = features.take(columns([(960_000, 2, 0)]), types, 900_000, 960_000)
    assert over.tolist() == [1]


def play(*, restart: bool) -> list[tuple[str, str]]:
    """Return what a day and a half with a breaking widget gives, of incidents and of layers."""
    start, broken = END - timedelta(hours=36), END - timedelta(hours=3)
    first = int(start.timestamp() * 1000)
    shop = Shop(5, first, first, sale_factor=2.0, fault=Fault(drop=0.9))
    lines = shop.until(broken)
    shop.flag = lambda _dims: True
    lines += shop.until(END)
    config = DetectionConfig(warm_up_ms=30 * 3_600_000, layers=("robust_pca", "ewma"))
    engine, found, position = DetectionEngine(config), [], 1
    for at in range(0, len(lines), 20_000):
        part = lines[at : at + 20_000]
        now_ms = int(END.timestamp() * 1000)
        engine.observe_events(EventBlock(position, len(part), now_ms, b"\n".join(part)))
        position += len(part)
        found += [(new.fact.type_name, new.fact_id) for _, new in engine.advance().facts]
        if restart:
            engine = DetectionEngine.restore(config, engine.snapshot())
    layers = engine.layers
    assert layers is not None
    assert layers.sessions["robust_pca"].odd_from is not None
    return found


def test_layers_change_no_incident_and_survive_a_restart() -> None:
    once = play(restart=False)
    assert any(name == IncidentOpened.type_name for name, _ in once)
    assert play(restart=True) == once


def test_a_snapshot_without_layers_takes_new_ones() -> None:
    plain = DetectionEngine(DetectionConfig())
    config = DetectionConfig(layers=("ewma",))
    engine = DetectionEngine.restore(config, plain.snapshot())
    assert engine.layers is not None
    assert engine.layers.names == ("ewma",)
    assert DetectionEngine.restore(DetectionConfig(), engine.snapshot()).layers is None
    assert LayerAlarmed.type_name == "layer.alarmed"
