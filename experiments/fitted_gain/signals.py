"""What simple halting rules look at after one iteration of each stage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray


class Signals(NamedTuple):
    """Of each image, (N,); a higher value asks for more iterations.

    Attributes:
        uncertainty: Entropy of a classifier's image, mean entropy of a segmentor's cells, in nats.
        state_change: Norm of the last stage's pooled output over that of its pooled state.
    """

    uncertainty: NDArray[np.float64]
    state_change: NDArray[np.float64]

    @classmethod
    @torch.no_grad()
    def of(cls, model, loader):
        """Run ``model`` at one iteration a stage, two in the last: its unit must run once."""
        backbone = model.backbone
        head = model.decode_head if hasattr(model, 'decode_head') else model.head
        lowest = (1,) * len(backbone.max_iterations)
        unit = list(backbone.iterative_stages())[-1].iterative_blocks()[-1].halting
        change, entropy = [], []
        for batch in loader:
            data = model.data_preprocessor(batch, False)
            backbone.set_budget(max_iterations=lowest)
            logits = head(tuple(model.extract_feat(data['inputs'])))
            cells = torch.distributions.Categorical(logits=logits.movedim(1, -1)).entropy()
            entropy.append(cells.reshape(len(cells), -1).mean(dim=1))
            backbone.set_budget(max_iterations=(*lowest[:-1], 2))
            handle = unit.register_forward_pre_hook(lambda _, pooled: change.append(ratio(*pooled)))
            model.extract_feat(data['inputs'])
            handle.remove()
        return cls(torch.cat(entropy).double().numpy(), torch.cat(change).double().numpy())


def ratio(state, output):
    return output.norm(dim=1) / state.norm(dim=1)


def split_by(signal, costs, vertices, cost):
    """Two static budgets around a mean cost, and the signal above which an image gets the dearer.

    Args:
        signal: (n,) of the calibration images.
        costs: (k, n) MACs of the static budgets.
        vertices: Places of the budgets on the envelope, the cheapest first.
        cost: Mean MACs to meet.
    """
    means = costs[list(vertices)].mean(axis=1)
    above = int(np.clip(np.searchsorted(means, cost), 1, len(means) - 1))
    dearer = (cost - means[above - 1]) / (means[above] - means[above - 1])
    return vertices[above - 1], vertices[above], np.quantile(signal, 1 - np.clip(dearer, 0, 1))
