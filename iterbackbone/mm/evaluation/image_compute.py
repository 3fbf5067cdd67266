"""From the calls of one batch to what each of its images cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ...core.adaptive import AdaptiveModule
from ...core.block import IterativeBlock
from ...core.macs import Size
from ..traces import Call, TraceCollector, counts_of

PER_ROW = ('iterations', 'ponder_cost', 'macs')
REFERENCES = ('macs_lowest', 'macs_full', 'macs_resnet')
MACS = ('macs', *REFERENCES)


def image_compute(collector: TraceCollector, num_images: int) -> list[dict[str, Any]]:
    """Iterations, ponder cost and MACs of each image of a batch.

    Args:
        collector: With all calls of iterative modules for this batch. Sliding windows and
            test-time augmentation make several of the backbone.
        num_images: B of the batch.

    Returns:
        One dict an image with the compute fields of
        :class:`~iterbackbone.log.schema.IterationRecord`.

    Raises:
        ValueError: a backbone call whose rows are not the batch's images.
        FloatingPointError: a halting score was NaN.
    """
    rows = [_Rows.of(call) for call in collector.calls]
    backbone = [r for r in rows if not r.module.of_regions]
    rois = [r for r in rows if r.module.of_regions]
    if num_images > 1:
        backbone = _one_by_one(backbone, num_images)
        layers = [module for module in collector.modules if module.of_regions]
        each = ([call for call in rois if call.module is layer] for layer in layers)
        rois = [call for calls in each for call in _owned_in_turn(calls, num_images)]
    for call in backbone:
        if len(call.iterations) != num_images:
            raise ValueError(
                f'{type(call.module).__name__} was called with {len(call.iterations)} rows for a '
                f'batch of {num_images} images: their iterations cannot be told apart'
            )
    return [_image(collector, backbone, rois, index) for index in range(num_images)]


def _image(
    collector: TraceCollector, backbone: list[_Rows], rois: list[_Rows], index: int
) -> dict[str, Any]:
    """All calls of one image: those of the only backbone, or of several side by side."""
    bodies = _by_module(collector, backbone)
    entries = {name: _backbone_compute(calls, index) for name, calls in bodies.items()}
    several = len(entries) > 1
    image = _joined(list(entries.values())) if several else _backbone_compute(backbone, index)
    if any(module.of_regions for module in collector.modules):
        heads = {n: _rois_compute(c, index) for n, c in _by_module(collector, rois).items()}
        image = _with_rois(image, list(heads.values()))
        several = several or len(heads) > 1
        entries |= heads
    return {**image, 'modules': entries} if several else image


def _by_module(collector: TraceCollector, calls: list[_Rows]) -> dict[str, list[_Rows]]:
    """In the model's order, by path; modules without a call are left out."""
    found = {name: [c for c in calls if c.module is m] for m, name in collector.names.items()}
    return {name: of_module for name, of_module in found.items() if of_module}


class _Rows(NamedTuple):
    """One call's rows on the host."""

    module: AdaptiveModule
    input_size: Size
    iterations: list[list[int]]
    ponder_cost: list[float]
    macs: list[int]
    references: dict[str, int]  # the MAC fields that all rows share
    owners: list[int]  # index of each row's image

    @classmethod
    def of(cls, call: Call) -> _Rows:
        trace = call.trace
        _check_scores(call)
        table, plain = counts_of(call.module, trace.input_size)
        return cls(
            call.module,
            trace.input_size,
            trace.iterations.tolist(),
            trace.ponder_cost.sum(dim=1).tolist(),
            [table.total(executed, limits=trace.limits) for executed in trace.executed.tolist()],
            dict(zip(REFERENCES, (table.lowest, table.highest, plain), strict=True)),
            _owners(call),
        )


def _one_by_one(calls: list[_Rows], num_images: int) -> list[_Rows]:
    """As one call each what a module was called for image by image, as trackers do with frames."""
    joined = []
    for module in dict.fromkeys(call.module for call in calls):
        own = [call for call in calls if call.module is module]
        one_each = len(own) == num_images and all(len(call.iterations) == 1 for call in own)
        if not one_each or len({call.input_size for call in own}) > 1:
            joined += own
            continue
        parts = {name: [getattr(call, name)[0] for call in own] for name in PER_ROW}
        joined.append(own[0]._replace(**parts))
    return joined


def _owned_in_turn(calls: list[_Rows], num_images: int) -> list[_Rows]:
    """The same for RoIs of one layer, whose owner is then the first image of each call."""
    if len(calls) != num_images or any(any(call.owners) for call in calls):
        return calls
    return [call._replace(owners=[i] * len(call.owners)) for i, call in enumerate(calls)]


def _check_scores(call: Call) -> None:
    """Here and not in the loop: on a GPU looking for NaN waits for it."""
    broken = call.trace.ponder_cost.isnan().nonzero().tolist()
    if not broken:
        return
    row, block = broken[0]
    names = [name for name, part in call.module.named_modules() if isinstance(part, IterativeBlock)]
    raise FloatingPointError(
        f'a halting score is NaN: {type(call.module).__name__} {names[block]}, iteration '
        f'{int(call.trace.iterations[row, block])}, row {row} of the batch; look for NaN or infinity '
        'in the weights, the images or, with half precision, the features'
    )


def _owners(call: Call) -> list[int]:
    rows = len(call.trace.iterations)
    if not call.module.of_regions:
        return list(range(rows))
    if call.owners is None or len(call.owners) != rows:
        raise ValueError(
            f'the images of the {rows} RoIs of {type(call.module).__name__} are unknown: it must be '
            "called with the output of mmdet's RoI extractor, as roi_head.shared_head"
        )
    return call.owners.tolist()


def _backbone_compute(calls: list[_Rows], image: int) -> dict[str, Any]:
    per_block = [_mean(n) for n in zip(*(call.iterations[image] for call in calls), strict=True)]
    values = iter(per_block)
    stages = calls[0].module.iterative_stages() if calls else []
    per_stage = [sum(next(values) for _ in stage.blocks) for stage in stages]
    return {
        'iterations_per_block': per_block,
        'iterations': per_stage,
        'total_iterations': sum(per_stage),
        'ponder_cost': _mean(call.ponder_cost[image] for call in calls),
        'num_calls': len(calls),
        'input_size': list(calls[0].input_size) if calls else None,
        'macs': sum(call.macs[image] for call in calls),
        **{name: sum(call.references[name] for call in calls) for name in REFERENCES},
    }


def _joined(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Several backbones: lists one behind the other, sums of what adds up."""
    sums = ('total_iterations', 'ponder_cost', *MACS)
    lists = ('iterations_per_block', 'iterations')
    return {
        **{name: [value for entry in entries for value in entry[name]] for name in lists},
        **{name: sum(entry[name] for entry in entries) for name in sums},
        'num_calls': max(entry['num_calls'] for entry in entries),
        'input_size': entries[0]['input_size'],
    }


def _rois_compute(calls: list[_Rows], index: int) -> dict[str, Any]:
    """What a RoI layer did for the RoIs of one image."""
    owned = [(c, row) for c in calls for row, owner in enumerate(c.owners) if owner == index]
    return {
        'macs': sum(call.macs[row] for call, row in owned),
        **{name: sum(call.references[name] for call, _ in owned) for name in REFERENCES},
        'num_rois': len(owned),
        'mean_roi_iterations': _mean(sum(call.iterations[row]) for call, row in owned),
    }


def _with_rois(image: dict[str, Any], heads: list[dict[str, Any]]) -> dict[str, Any]:
    """RoIs' MACs belong to their image; iterations of several layers have no common mean."""
    return {
        **image,
        **{name: image[name] + sum(head[name] for head in heads) for name in MACS},
        'num_rois': sum(head['num_rois'] for head in heads),
        'mean_roi_iterations': heads[0]['mean_roi_iterations'] if len(heads) == 1 else None,
    }


def _mean(values: Iterable[float]) -> Any:
    """Mean; the value itself where there is one, None where there is none."""
    values = list(values)
    return sum(values) / len(values) if len(values) > 1 else next(iter(values), None)
