"""A predictor without a model: brighter pictures cost more."""

from __future__ import annotations

import numpy as np

from iterbackbone.cli.demo.panel import Cost


class FakePrediction:
    """What run_pictures and run_video ask for."""

    def __init__(self, cost, boxes):
        self.cost, self.boxes = cost, boxes


class FakePredictor:
    """Costs a share of the MACs by brightness; ms 10, at full depth 40."""

    def __init__(self, boxes=1):
        self.boxes, self.calls = boxes, []

    def predict(self, bgr, full_depth=False):
        self.calls.append(full_depth)
        share = 1.0 if full_depth else 0.25 + float(bgr.mean()) / 510
        cost = Cost((1, 1 + 3 * share), (3, 4), round(1000 * share), 1000, 40.0 if full_depth else 10.0)
        return FakePrediction(cost, self.boxes)

    def draw(self, bgr, prediction):
        return np.ascontiguousarray(bgr[..., ::-1])
