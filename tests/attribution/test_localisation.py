"""Root cohorts of tables: exact on clear cases, empty where there is none, errors with a line."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from detectors.attribution.leaf_files import read_leaves
from detectors.attribution.localisation import localise
from recoup.cli import main
from recoup.domain.errors import InvalidInput
from tests.benchmarks.leaf_tables import score

DIMS = {
    "os": ["ios", "android", "web"],
    "country": ["de", "fr", "se", "gb"],
    "campaign": list("abcde"),
}


def leaves(drops: Sequence[tuple[dict[str, str], float]], seed: int = 1) -> list[str]:
    rng = np.random.default_rng(seed)
    lines = [",".join([*DIMS, "real", "predict"])]
    for values in product(*DIMS.values()):
        dims = dict(zip(DIMS, values, strict=True))
        expected = rng.uniform(50, 400)
        real = expected * (1 + rng.normal(0, 0.03))
        for root, share in drops:
            if all(dims[name] == value for name, value in root.items()):
                real *= 1 - share
        lines.append(f"{','.join(values)},{real:.3f},{expected:.3f}")
    return lines


@pytest.mark.parametrize(
    "roots",
    [
        [{"os": "ios"}],
        [{"os": "ios", "country": "de"}],
        [{"os": "web", "country": "fr", "campaign": "c"}],
        [{"os": "ios", "country": "de"}, {"campaign": "e", "country": "se"}],
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clear_roots_are_named_exactly(roots: list[dict[str, str]], seed: int) -> None:
    shares = [0.4, 0.7]
    table = read_leaves(leaves(list(zip(roots, shares, strict=False)), seed), "leaves.csv")
    found = localise(table)
    assert sorted(map(sorted_items, found)) == sorted(map(sorted_items, roots))


def sorted_items(root: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(root.items())


@pytest.mark.parametrize("seed", range(6))
def test_no_root_where_nothing_is_wrong(seed: int) -> None:
    assert localise(read_leaves(leaves([], seed), "leaves.csv")) == []


def test_a_ratio_is_judged_by_its_own_trials() -> None:
    lines = ["os,country,real_num,real_den,predict_num,predict_den"]
    for os, country in product(("ios", "android", "web"), ("de", "fr", "se", "gb")):
        trials = 4000 if country == "de" else 900
        rate = 0.4 if (os, country) == ("ios", "fr") else 0.8
        lines.append(f"{os},{country},{trials * rate},{trials},800,1000")
    assert localise(read_leaves(lines, "x")) == [{"country": "fr", "os": "ios"}] or localise(
        read_leaves(lines, "x")
    ) == [{"os": "ios", "country": "fr"}]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["os,real"], "t.csv:1: needs the columns real,predict"),
        (["os,real,predict", "ios,1"], "t.csv:2: has 2 fields"),
        (["os,real,predict", "ios,1,2", "web,x,2"], "t.csv:3: 'x' is not a number"),
        (["os,real,predict", "ios,nan,2"], "t.csv:2: 'nan' is not a finite number"),
        ([], "t.csv:1: needs"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(lines: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says.replace("(", r"\(")):
        read_leaves(lines, "t.csv")


def test_a_folder_gives_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "one.csv").write_text("\n".join(leaves([({"os": "ios"}, 0.5)])) + "\n")
    (source / "two.csv").write_text("\n".join(leaves([])) + "\n")
    assert main(["localise", str(source), "--out", str(out), "--json"]) == 0
    assert json.loads((out / "one.json").read_text()) == {"root_causes": [{"os": "ios"}]}
    assert json.loads((out / "two.json").read_text()) == {"root_causes": []}
    assert set(json.loads(capsys.readouterr().out)) == {"one.csv", "two.csv"}


def test_a_file_gives_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "leaves.csv", tmp_path / "roots.json"
    source.write_text("\n".join(leaves([({"campaign": "b"}, 0.6)])) + "\n")
    assert main(["localise", str(source), "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == {"root_causes": [{"campaign": "b"}]}
    assert "campaign=b" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "cases", "least"), [("S", 12, 0.65), ("L", 8, 0.78)])
def test_roots_of_tables_with_published_habits_are_found(
    name: str, cases: int, least: float
) -> None:
    found = score(name, cases, first_seed=300)
    assert found["f1"] >= least
    assert found["seconds_a_case"] < 1


def test_a_blank_stretch_hides_no_line() -> None:
    lines = leaves([({"os": "ios"}, 0.5)])
    table = read_leaves([*lines[:20], *[""] * 1200, *lines[20:]], "leaves.csv")
    assert len(table) == len(lines) - 1
    with pytest.raises(InvalidInput, match="leaves.csv:1221: 'x' is not a number"):
        read_leaves([*lines[:20], *[""] * 1200, "ios,de,a,x,1"], "leaves.csv")
