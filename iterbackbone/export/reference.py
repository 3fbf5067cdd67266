"""What a network's own execution says, to compare its export form with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..core.macs import mac_table
from ..core.trace import HaltingTrace
from .form import ExportForm, ExportOutputs


@torch.no_grad()
def reference(form: ExportForm, x: Tensor) -> tuple[ExportOutputs, float]:
    """The form's outputs by its network's own execution and budget, and :func:`margin`."""
    network = form.network
    network.record_scores()
    try:
        features = network(x)
        trace = network.trace
    finally:
        network.record_scores(False)
    rows = trace.iterations
    if form.fixed is not None:
        rows = rows.new_tensor(trace.limits).expand_as(rows)
    if not network.of_regions:
        features, rows = tuple(features), rows.amax(dim=0, keepdim=True)
    else:
        features = (features,)
    table = mac_table(network, trace.input_size)
    macs = sum(table.total(row, trace.limits) for row in rows.tolist())
    outputs = ExportOutputs(features, trace.iterations, torch.tensor(float(macs)))
    return outputs, margin(trace, form.threshold)


def margin(trace: HaltingTrace, threshold: float) -> float:
    """Least distance of a sum of halting scores to ``threshold``; infinite where none was read."""
    assert trace.scores is not None
    sums = [scores[:, :-1].cumsum(dim=1) for scores in trace.scores]  # the last score is always 1
    distances = torch.cat([(each - threshold).abs().flatten() for each in sums])
    return float(distances[distances.isfinite()].min()) if distances.isfinite().any() else math.inf
