"""From the calls of one batch to what each of its images cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from ...core.adaptive import AdaptiveModule
from ...core.block import IterativeBlock
from ..traces import Call, TraceCollector, counts_of

Row = dict[str, Any]  # what one row of one call took, by field
Rows = dict[AdaptiveModule, list[Row]]  # of one image
MACS = ('macs', 'macs_lowest', 'macs_full', 'macs_resnet')


def image_compute(collector: TraceCollector, num_images: int) -> list[dict[str, Any]]:
    """Iterations, ponder cost and MACs of each image: fields of a record of the log.

    The collector has all calls of iterative modules for this batch; sliding windows and test-time
    augmentation make several of the backbone. ValueError: a backbone call whose rows are not the
    batch's images. FloatingPointError: a halting score was NaN.
    """
    images: list[Rows] = [{} for _ in range(num_images)]
    for module in collector.modules:
        calls = [call for call in collector.calls if call.module is module]
        if calls:
            for image in images:
                image[module] = []
        for call, owners in zip(calls, _owners(calls, num_images), strict=True):
            for owner, row in zip(owners, _rows(call), strict=True):
                images[owner][module].append(row)
    return [_image(collector, rows) for rows in images]


def _image(collector: TraceCollector, rows: Rows) -> dict[str, Any]:
    """Of one image's rows in the modules that were called."""
    backbones = {module: own for module, own in rows.items() if not module.of_regions}
    heads = {module: own for module, own in rows.items() if module.of_regions}
    image = _of_backbones(backbones)
    if any(module.of_regions for module in collector.modules):
        image |= _of_heads(heads)
    image |= _macs(rows)
    if len(backbones) > 1 or len(heads) > 1:
        names = collector.names
        image['modules'] = {
            **{names[module]: _of_backbones({module: own}) for module, own in backbones.items()},
            **{names[module]: _of_heads({module: own}) for module, own in heads.items()},
        }
    return image


def _rows(call: Call) -> list[Row]:
    _check_scores(call)
    trace = call.trace
    table, plain = counts_of(call.module, trace.input_size)
    bounds = {'macs_lowest': table.lowest, 'macs_full': table.highest, 'macs_resnet': plain}
    same = {'input_size': list(trace.input_size), **bounds}
    columns = trace.iterations, trace.ponder_cost.sum(dim=1), trace.executed
    return [
        {**same, 'iterations': n, 'ponder_cost': cost, 'macs': table.total(executed, trace.limits)}
        for n, cost, executed in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _owners(calls: list[Call], num_images: int) -> list[list[int]]:
    """Of each call of a module the index of each row's image."""
    owners = [_owners_of(call) for call in calls]
    # Trackers call a module frame by frame, which each is the first image of its call.
    sizes = {call.trace.input_size for call in calls}
    if len(calls) == num_images and len(sizes) == 1 and not any(map(any, owners)):
        return [[image] * len(rows) for image, rows in enumerate(owners)]
    for call, rows in zip(calls, owners, strict=True):
        if not call.module.of_regions and len(rows) != num_images:
            raise ValueError(
                f'{type(call.module).__name__} was called with {len(rows)} rows for a '
                f'batch of {num_images} images: their iterations cannot be told apart'
            )
    return owners


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


def _owners_of(call: Call) -> list[int]:
    rows = len(call.trace.iterations)
    if not call.module.of_regions:
        return list(range(rows))
    if call.owners is None or len(call.owners) != rows:
        raise ValueError(
            f'the images of the {rows} RoIs of {type(call.module).__name__} are unknown: it must be '
            "called with the output of mmdet's RoI extractor, as roi_head.shared_head"
        )
    return call.owners.tolist()


def _of_backbones(rows: Rows) -> dict[str, Any]:
    """Of one, of several together, or of none that was called."""
    per_block, per_stage, costs = [], [], []
    for module, own in rows.items():
        blocks = [_mean(n) for n in zip(*(row['iterations'] for row in own), strict=True)]
        values = iter(blocks)
        per_stage += [sum(islice(values, len(stage.blocks))) for stage in module.iterative_stages()]
        per_block += blocks
        costs.append(_mean(row['ponder_cost'] for row in own))
    return {
        'iterations_per_block': per_block,
        'iterations': per_stage,
        'total_iterations': sum(per_stage),
        'ponder_cost': sum(costs),
        'num_calls': max(map(len, rows.values()), default=0),
        'input_size': next((own[0]['input_size'] for own in rows.values()), None),
        **_macs(rows),
    }


def _of_heads(rows: Rows) -> dict[str, Any]:
    means = [_mean(sum(row['iterations']) for row in own) for own in rows.values()]
    return {
        **_macs(rows),
        'num_rois': sum(map(len, rows.values())),
        'mean_roi_iterations': means[0] if len(means) == 1 else None,  # several have no mean
    }


def _macs(rows: Rows) -> dict[str, int]:
    return {name: sum(row[name] for own in rows.values() for row in own) for name in MACS}


def _mean(values: Iterable[float]) -> Any:
    """The value itself where there is one, None where there is none."""
    values = list(values)
    return sum(values) / len(values) if len(values) > 1 else next(iter(values), None)
