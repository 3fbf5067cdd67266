"""From the calls of one batch to what each of its images cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from ...core.adaptive import AdaptiveModule
from ...core.block import IterativeBlock
from ..traces import Call, TraceCollector, counts_of

Row = dict[str, Any]  # what one row of one call took, by field
MACS = ('macs', 'macs_lowest', 'macs_full', 'macs_resnet')


def image_compute(collector: TraceCollector, num_images: int) -> list[dict[str, Any]]:
    """Iterations, ponder cost and MACs of each image: fields of a record of the log.

    The collector has all calls of iterative modules for this batch; sliding windows and test-time
    augmentation make several of the backbone. ValueError: a backbone call whose rows are not the
    batch's images. FloatingPointError: a halting score was NaN.
    """
    images: list[dict[AdaptiveModule, list[Row]]] = [{} for _ in range(num_images)]
    for module in collector.modules:
        calls = [call for call in collector.calls if call.module is module]
        if calls:
            for image in images:
                image[module] = []
        for call, owners in zip(calls, _owners(calls, num_images), strict=True):
            for owner, row in zip(owners, _rows(call), strict=True):
                images[owner][module].append(row)
    return [_image(collector, rows) for rows in images]


def _image(collector: TraceCollector, rows: dict[AdaptiveModule, list[Row]]) -> dict[str, Any]:
    """Of one image's rows in the modules that were called."""
    names = collector.names
    bodies = {names[m]: _backbone_compute(m, own) for m, own in rows.items() if not m.of_regions}
    heads = {names[m]: _rois_compute(own) for m, own in rows.items() if m.of_regions}
    image = _joined([*bodies.values()])
    for name in MACS:
        image[name] = sum(each[name] for each in (bodies | heads).values())
    if any(module.of_regions for module in collector.modules):
        image['num_rois'] = sum(head['num_rois'] for head in heads.values())
        means = [head['mean_roi_iterations'] for head in heads.values()]
        image['mean_roi_iterations'] = means[0] if len(means) == 1 else None  # several have no mean
    several = len(bodies) > 1 or len(heads) > 1
    return {**image, 'modules': bodies | heads} if several else image


def _rows(call: Call) -> list[Row]:
    _check_scores(call)
    trace = call.trace
    table, plain = counts_of(call.module, trace.input_size)
    bounds = {'macs_lowest': table.lowest, 'macs_full': table.highest, 'macs_resnet': plain}
    same = {'input_size': list(trace.input_size), **bounds}
    macs = [table.total(executed, trace.limits) for executed in trace.executed.tolist()]
    columns = trace.iterations.tolist(), trace.ponder_cost.sum(dim=1).tolist(), macs
    names = ('iterations', 'ponder_cost', 'macs')
    return [{**same, **dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]


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


def _backbone_compute(module: AdaptiveModule, rows: list[Row]) -> dict[str, Any]:
    """Of one row of each call."""
    per_block = [_mean(n) for n in zip(*(row['iterations'] for row in rows), strict=True)]
    values = iter(per_block)
    per_stage = [sum(islice(values, len(stage.blocks))) for stage in module.iterative_stages()]
    return {
        'iterations_per_block': per_block,
        'iterations': per_stage,
        'total_iterations': sum(per_stage),
        'ponder_cost': _mean(row['ponder_cost'] for row in rows),
        'num_calls': len(rows),
        'input_size': rows[0]['input_size'],
        **_macs(rows),
    }


def _joined(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the only backbone, of several, or of none that was called."""
    return {
        'iterations_per_block': [n for body in bodies for n in body['iterations_per_block']],
        'iterations': [n for body in bodies for n in body['iterations']],
        'total_iterations': sum(body['total_iterations'] for body in bodies),
        'ponder_cost': sum(body['ponder_cost'] for body in bodies),
        'num_calls': max((body['num_calls'] for body in bodies), default=0),
        'input_size': bodies[0]['input_size'] if bodies else None,
    }


def _rois_compute(rows: list[Row]) -> dict[str, Any]:
    mean = _mean(sum(row['iterations']) for row in rows)
    return {**_macs(rows), 'num_rois': len(rows), 'mean_roi_iterations': mean}


def _macs(rows: list[Row]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in MACS}


def _mean(values: Iterable[float]) -> Any:
    """The value itself where there is one, None where there is none."""
    values = list(values)
    return sum(values) / len(values) if len(values) > 1 else next(iter(values), None)
