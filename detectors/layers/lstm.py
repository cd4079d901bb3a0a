"""LSTM (an extra, PyTorch): hours off what a small recurrent network expects after the last day."""

import math
from collections import deque
from typing import Any

import numpy as np

from detectors.layering.contract import SeriesLayer
from detectors.trials import Floats

KEPT = 24 * 14
LEAST = 24 * 3
REFIT_H = 24
LOOKS_BACK = 24
HIDDEN = 12
ROUNDS = 80
RATE = 0.02


class Lstm(SeriesLayer):
    """One layer of LSTM over the last 24 hours, taught anew each day; the surprise is its error.

    It is the same each time: one seed, one thread.
    """

    name = "lstm"
    needs = ("torch", "torch")

    def __init__(self) -> None:
        self._past: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self._model: Any = None
        self._fitted = 0
        self._scale = (0.0, 1.0)

    def surprise(self, value: float, hour: int) -> float | None:
        """Return value less forecast."""
        found = None
        if len(self._past) >= LEAST:
            if self._model is None or hour - self._fitted >= REFIT_H:
                self._fit(hour)
            found = value - self._expected()
        self._past.append((hour, value))
        return found

    def _fit(self, hour: int) -> None:
        values = np.array([each for _, each in self._past])
        self._scale = float(np.median(values)), max(float(values.std()), 1e-6)
        self._fitted = hour
        rows = self._rows()
        windows = np.stack([rows[n : n + LOOKS_BACK] for n in range(len(rows) - LOOKS_BACK)])
        self._model = _taught(windows, rows[LOOKS_BACK:, 0])

    def _expected(self) -> float:
        middle, spread = self._scale
        return middle + spread * _run(self._model, self._rows()[-LOOKS_BACK:][None])

    def _rows(self) -> Floats:
        """Return the past as the network sees it: the scaled value, and the hour that follows."""
        middle, spread = self._scale
        values = (np.array([each for _, each in self._past]) - middle) / spread
        angle = np.array([(hour + 1) % 24 for hour, _ in self._past]) / 24 * math.tau
        found: Floats = np.stack([np.clip(values, -5, 5), np.sin(angle), np.cos(angle)], axis=1)
        return found


def _taught(windows: Floats, following: Floats) -> Any:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = nn.ModuleDict({"memory": nn.LSTM(3, HIDDEN, batch_first=True)})
        model["last"] = nn.Linear(HIDDEN, 1)
    given = torch.tensor(windows, dtype=torch.float32)
    wanted = torch.tensor(following, dtype=torch.float32)
    descent = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(ROUNDS):
        descent.zero_grad()
        # One odd hour in the past must not bend the network towards it.
        nn.functional.huber_loss(_output(model, given), wanted).backward()
        descent.step()
    return model


def _run(model: Any, window: Floats) -> float:
    import torch

    with torch.no_grad():
        return float(_output(model, torch.tensor(window, dtype=torch.float32))[0])


def _output(model: Any, windows: Any) -> Any:
    states, _ = model["memory"](windows)
    return model["last"](states[:, -1])[:, 0]
