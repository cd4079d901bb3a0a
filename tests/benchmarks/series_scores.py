"""``recoup series`` and published detectors on made corpora: one JSON line a corpus and detector.

Usage: python -m tests.benchmarks.series_scores [--seeds 5-8] [--jobs 2]

Figures are those of the standard profile of the Numenta benchmark (0 to 100). The corpora are made
(``tests/series``): ``clear`` has faults that anybody would see, ``recorded_like`` the habits of
recorded series. What published detectors reach on them, beside what they are known to reach on the
recorded series themselves, tells how hard the corpora are.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

import numpy as np

from detectors.series.scorer import score_rows
from recoup.demo.world.bench import seeds_of
from tests.series import corpus, recorded_like
from tests.series.peers import PEERS
from tests.series.standard_profile import standard_score

OURS = "recoup series"
CORPORA: dict[str, Callable[[int], list[tuple[str, corpus.Case]]]] = {
    "clear": lambda seed: corpus.corpus(seed, 4),
    "recorded_like": recorded_like.recorded_like,
}


def measure(job: tuple[str, int, str]) -> dict[str, Any]:
    """Return how one detector fares on one corpus."""
    name, seed, detector = job
    files = []
    for _, (times, values, windows) in CORPORA[name](seed):
        if detector == OURS:
            rows = list(zip((times + corpus.START).tolist(), values.tolist(), strict=True))
            scores = np.array([each.anomaly_score for each in score_rows(rows)])
        else:
            scores = PEERS[detector][0](values)
        files.append((scores, windows))
    found = standard_score(files)
    return {
        "corpus": name,
        "seed": seed,
        "detector": detector,
        "score": round(found.score, 1),
        "windows_found": round(found.windows_found, 2),
        "false_rows_a_file": round(found.false_rows / len(files), 1),
    }


def main() -> None:
    """Print a line for each corpus, seed and detector, then the mean of each over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="5-8")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    jobs = list(product(CORPORA, seeds_of(wanted.seeds), (OURS, *PEERS)))
    with ProcessPoolExecutor(wanted.jobs) as pool:
        found = []
        for each in pool.map(measure, jobs):
            print(json.dumps(each), flush=True)
            found.append(each)
    for name, detector in product(CORPORA, (OURS, *PEERS)):
        mine = [e for e in found if (e["corpus"], e["detector"]) == (name, detector)]
        row: dict[str, Any] = {"corpus": name, "detector": detector}
        for key in ("score", "windows_found", "false_rows_a_file"):
            row[f"mean_{key}"] = round(float(np.mean([each[key] for each in mine])), 2)
        published = PEERS[detector][1] if detector in PEERS else None
        print(json.dumps({**row, "published_on_recorded": published}), flush=True)


if __name__ == "__main__":
    main()
