"""The four hand-checked cases of Algorithm 1: L = 5, four scores, then the forced 1."""

from __future__ import annotations

SCORES = ((0.01, 0.5, 0.6, 0.7), (0.999,) * 4, (0.01,) * 4, (0.4,) * 4)
ITERATIONS = (3, 1, 5, 3)
COSTS = (3.49, 2.0, 5.96, 3.2)
GRADIENTS = ((-1, -1, 0, 0), (0, 0, 0, 0), (-1, -1, -1, -1), (-1, -1, 0, 0))
WEIGHTS = (
    (0.01, 0.5, 0.49, 0, 0),
    (1, 0, 0, 0, 0),
    (0.01, 0.01, 0.01, 0.01, 0.96),
    (0.4, 0.4, 0.2, 0, 0),
)
THRESHOLD = 0.99
