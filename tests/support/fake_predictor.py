"""A predictor without a model: brighter pictures cost more."""

from __future__ import annotations

import numpy as np

from iterbackbone.cli.demo.panel import Prediction


class FakePredictor:
    """Costs a share of the MACs by brightness; ms 10, at full depth 40."""

    def __init__(self, boxes=1):
        self.boxes, self.calls = boxes, []

    def predict(self, bgr, full_depth=False):
        self.calls.append(full_depth)
        share = 1.0 if full_depth else 0.25 + float(bgr.mean()) / 510
        iterations, ms = (1, 1 + 3 * share), 40.0 if full_depth else 10.0
        return Prediction(None, self.boxes, iterations, (3, 4), round(1000 * share), 1000, ms)

    def draw(self, bgr, prediction):
        return np.ascontiguousarray(bgr[..., ::-1])
