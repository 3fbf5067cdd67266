"""Parameters and MACs of a model, and of a baseline beside it, as text to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import aligned

COLUMNS = ('iterations', 'per iteration', 'per halting score', 'sees')
BOUNDS = ('lowest', 'mean', 'highest')
Summary = dict[str, Any]


def compute_table(
    name: str, model: Summary, baseline_name: str = '', baseline: Summary | None = None
) -> str:
    """All of it: a model's name and its summary, and a baseline's, at the same input."""
    lines = [name, f'  {_input(model)}']
    if baseline:
        lines += [f'beside the baseline {baseline_name}', f'  {_input(baseline)}']
    lines += ['', *aligned(_parameters(model, baseline))]
    lines += ['', *aligned(_macs(model, baseline)), *_resnet(model)]
    if model['iterative']:
        lines += ['', *aligned(_stages(model))]
    lines += ['', *_uncounted('Operators not counted', model)]
    if baseline:
        lines += _uncounted('Operators not counted in the baseline', baseline)
    return '\n'.join(lines) + '\n'


def ratios(model: Summary, baseline: Summary) -> dict[str, Any]:
    """Shares of the baseline's ``parameters`` and, by bound, ``macs``; the mean's of its highest."""
    against = {'mean': baseline['macs']['highest'], **baseline['macs']}
    macs = {bound: _shares(by_child, against[bound]) for bound, by_child in model['macs'].items()}
    return {'parameters': _shares(model['parameters'], baseline['parameters']), 'macs': macs}


def _shares(values: dict[str, Any], against: dict[str, Any]) -> dict[str, float]:
    both = [key for key in values if values[key] is not None and against.get(key)]
    return {key: values[key] / against[key] for key in both}


def _input(summary: Summary) -> str:
    if 'log' in summary:
        sizes = _plural(len(summary['input_sizes']), 'input size')
        text = f'mean over {_plural(summary["num_images"], "image")} of {sizes} in {summary["log"]}'
    else:
        text = f'one image of {_by(summary["image_size"])} pixels'
        if summary['input_size'] != summary['image_size']:
            text += f', padded to {_by(summary["input_size"])}'
    number = summary['num_proposals']
    if number is None:
        return text
    if 'log' in summary and summary['rois_as_logged']:
        return f'{text}, at its {number:.1f} RoIs an image'
    return f'{text}, at {number} proposals'


def _parameters(model: Summary, baseline: Summary | None) -> Iterator[list[str]]:
    columns = [summary['parameters'] for summary in (model, baseline) if summary]
    shares = [ratios(model, baseline)['parameters']] if baseline else []
    yield ['Parameters, millions', *(['model', 'baseline', 'share'] if baseline else [''])]
    yield from _rows(columns, shares, 1e6)


def _macs(model: Summary, baseline: Summary | None) -> Iterator[list[str]]:
    ours, theirs = _columns(model), _columns(baseline) if baseline else {}
    unit, word = _unit(max(s['macs']['highest']['total'] for s in (model, baseline) if s))
    shares = ratios(model, baseline)['macs'] if baseline else {}
    shares = {bound: shares[bound] for bound in ours if bound in shares}
    yield [
        f'MACs, {word}',
        *(bound if len(ours) > 1 else 'model' for bound in ours),
        *(f'baseline {bound}' if len(theirs) > 1 else 'baseline' for bound in theirs),
        *(f'share {bound}' if len(shares) > 1 else 'share' for bound in shares),
    ]
    yield from _rows([*ours.values(), *theirs.values()], [*shares.values()], unit)


def _columns(summary: Summary) -> dict[str, dict[str, Any]]:
    bounds = BOUNDS if summary['iterative'] else ('highest',)
    return {bound: summary['macs'][bound] for bound in bounds if bound in summary['macs']}


def _resnet(summary: Summary) -> list[str]:
    plain = summary['resnet']
    if not plain:
        return []
    unit, word = _unit(plain['macs'])
    return [
        '',
        f'{plain["name"]} in place of the iterative modules: {_number(plain["parameters"], 1e6)} M '
        f'parameters without classifier, {_number(plain["macs"], unit)} {word}MAC',
    ]


def _stages(summary: Summary) -> Iterator[list[str]]:
    yield ['Iterative stages, millions of MACs', *COLUMNS]
    for module in summary['iterative']:
        times = f' ({module["rows"]} of them)' if module['rows'] > 1 else ''
        yield [f'{module["name"]}, each input of {_by(module["input_size"])}{times}']
        yield ['  stem and transitions', '', _number(module['fixed'], 1e6)]
        for stage in module['stages']:
            columns = [stage[key] for key in ('limits', 'max_iterations', 'per_iteration', 'per_score')]
            for number, (limit, most, iteration, score) in enumerate(zip(*columns, strict=True), 1):
                block = f', block {number}' if len(stage['limits']) > 1 else ''
                capped = f'{limit} of {most}' if limit < most else str(most)
                cells = [_number(iteration, 1e6), _number(score, 1e6)]
                sees = '{} to {} pixels'.format(*stage['receptive_field']) if number == 1 else ''
                yield [f'  stage {stage["stage"]}{block}', capped, *cells, sees]


def _uncounted(title: str, summary: Summary) -> Iterator[str]:
    yield f'{title}, though they may have multiply-adds:' if summary['uncounted'] else f'{title}: none'
    for name, calls in summary['uncounted'].items():
        yield f'  {name}, {_plural(calls, "call")}'


def _rows(
    columns: list[dict[str, Any]], shares: list[dict[str, float]], unit: float
) -> Iterator[list[str]]:
    for key in dict.fromkeys(key for column in columns for key in column):
        name = key if key == 'total' else f'  {key}'
        cells = [_number(column.get(key), unit) for column in columns]
        yield [name, *cells, *(f'{share[key]:.1%}' if key in share else '' for share in shares)]


def _unit(macs: float) -> tuple[float, str]:
    return (1e9, 'G') if macs >= 1e9 else (1e6, 'M')


def _number(value: float | None, unit: float) -> str:
    """Two decimals, or two digits of what is smaller."""
    if value is None:
        return '-'
    return f'{value / unit:,.2f}' if value >= unit / 10 or not value else f'{value / unit:.2g}'


def _by(size: list[int]) -> str:
    return f'{size[0]} x {size[1]}'


def _plural(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'
