"""The report's numbers as Markdown and its records as CSV."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from typing import Any, TextIO

from ..log.schema import IterationRecord
from ..stats.association import Association
from ..stats.gain_verdict import amount
from ..text import printable
from .evaluation import Evaluation
from .gain_panel import MeasuredGains
from .measures import error_sentence, short

LISTS = ('iterations', 'iterations_per_block', 'input_size', 'class_names', 'modules', 'scores')
FIRST = ('img_id', 'img_path', 'height', 'width')
COLUMNS = [*FIRST, *(n for n in IterationRecord.__annotations__ if n not in (*FIRST, *LISTS))]


def rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What stands beside each other for several evaluations, always in this order: (name, value)."""
    macs, iterations = summary['macs'], summary['iterations']
    yield 'images', str(summary['num_images'])
    for name, value in summary['score'].items():
        yield f'score: {name}', f'{value:.3f}'
    yield 'iterations per stage', '/'.join(f'{n:.2f}' for n in iterations['mean'])
    yield 'of at most', '/'.join(map(str, iterations['max']))
    yield 'budget', _budget(summary['budget'])
    total = iterations['total']
    yield 'iterations per image', f'{total["mean"]:.2f} ({total["lowest"]:g} to {total["highest"]:g})'
    if (rois := summary['rois']) is not None:
        most = '/'.join(map(str, rois['max']))
        yield 'RoIs per image', f'{rois["per_image"]:.1f}'
        yield 'iterations per RoI', f'{in_units(rois["mean_iterations"], 1)} of at most {most}'
        yield 'budget of the RoI head', _budget(rois['budget'])
    bounds = (in_units(macs[key], 1e9) for key in ('lowest', 'mean', 'highest'))
    yield 'adaptive GMAC: one iteration / mean / all', ' / '.join(bounds)
    yield 'share of all iterations', percent(macs['share_of_full'])
    if time := summary['time']:
        value = in_units(time.get('milliseconds_per_image'), 1)
        yield 'milliseconds per image', f'{value} ({conditions(time)})'
    name = (summary['resnet'] or {}).get('name', 'n/a')
    yield 'plain ResNet of that shape', f'{name}, {in_units(macs["resnet"], 1e9)} GMAC'
    yield 'share of that ResNet', percent(macs['share_of_resnet'])
    parameters = summary['parameters'] or {}
    whole, backbone = (in_units(parameters.get(key), 1e6) for key in ('total', 'backbone'))
    yield 'parameters of the model (backbone), M', f'{whole} ({backbone})'
    for entry in [*summary['associations'], *summary['partial']]:
        yield f'rho({entry["label"]})', short(Association(**entry['spearman']))
    if summary['error']:
        yield f'mean {summary["error"]["name"]}', f'{summary["error"]["overall"]:.3f}'


def _budget(budget: dict[str, Any] | None) -> str:
    budget = budget or {}
    caps, threshold, share = (budget.get(key) for key in ('caps', 'threshold', 'share'))
    parts = [f'at most {"/".join(map(str, caps))} iterations'] if caps else []
    parts += [f'halting at {threshold}'] if threshold is not None else []
    parts += [f'{share:.1%} of the MACs'] if share is not None else []
    return ', '.join(parts) or 'none'


def conditions(time: dict[str, Any]) -> str:
    """Under which a time was measured, such as ``batches of 1, cpu, 4 threads``."""
    threads = f', {time.get("threads")} threads' if time.get('device') == 'cpu' else ''
    return f'batches of {time.get("batch_size")}, {time.get("device")}{threads}'


def side_by_side(summaries: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Rows of all evaluations; '' where one has none."""
    columns = [dict(rows(summary)) for summary in summaries]
    longest = sorted(columns, key=len, reverse=True)
    names = dict.fromkeys(name for column in longest for name in column)
    return [(name, [column.get(name, '') for column in columns]) for name in names]


def gain_rows(measured: MeasuredGains) -> list[list[str]]:
    """A line of titles, then one a policy."""
    titles = ['policy', 'share of the MACs', measured.score, 'best static mixture']
    lines = [[*titles, f'gain, {measured.unit}', '95% interval', 'shuffled depths', 'p']]
    for name, gain in zip(measured.policies, measured.gains, strict=True):
        value, low, high = (amount(n, measured.unit) for n in (gain.value, gain.low, gain.high))
        scores = [percent(gain.share), f'{gain.score:.4g}', f'{gain.mixture:.4g}', value]
        shuffled = gain.shuffled
        beside = [f'{shuffled.score:.4g}', f'{shuffled.p_value:.3f}'] if shuffled else ['n/a', '']
        lines.append([name, *scores, f'{low} to {high}', *beside])
    return lines


def markdown(summaries: list[dict[str, Any]], measured: MeasuredGains | None = None) -> str:
    """A table to paste, and the correlations in words."""
    header = ['', *(summary['name'] for summary in summaries)]
    text = _table([header, *([name, *values] for name, values in side_by_side(summaries))])
    if measured is not None:
        text += ['', plain(measured.verdict), '', *_table(gain_rows(measured))]
        text += ['', *(f'- note: {plain(note)}' for note in measured.notes)]
    for summary in summaries:
        text += ['', f'{plain(summary["name"])}:']
        text += [f'- {plain(sentence)}' for sentence in summary['sentences']]
        if (sentence := error_sentence(summary)) is not None:
            text.append(f'- error: {plain(sentence)}')
        text += [f'- left out: {plain(problem)}' for problem in summary['problems'][:20]]
    return '\n'.join(text) + '\n'


def _table(lines: list[list[str]]) -> list[str]:
    table = ['| ' + ' | '.join(map(plain, line)) + ' |' for line in lines]
    return [table[0], '|---' * len(lines[0]) + '|', *table[1:]]


def plain(text: str) -> str:
    """Text that Markdown shows as it is: no markup, links, mentions or control characters."""
    escaped = re.sub(r'([\\`*_{}\[\]<>#|!&~$])', r'\\\1', printable(text))
    return re.sub(r'@|://|www\.', lambda match: match[0][0] + '\u200b' + match[0][1:], escaped)


def write_csv(evaluations: list[Evaluation], file: TextIO) -> None:
    """One line an image of every evaluation.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    stages = max(evaluation.iterations.shape[1] for evaluation in evaluations)
    names = [f'iterations_stage{k}' for k in range(stages)]
    writer = csv.DictWriter(
        file, ['evaluation', *COLUMNS, *names, 'error'], extrasaction='ignore', lineterminator='\n'
    )
    writer.writeheader()
    for evaluation in evaluations:
        errors = evaluation.errors.tolist()
        for record, error in zip(evaluation.records, errors, strict=True):
            row = {**record, **dict(zip(names, record['iterations'], strict=False))}
            row |= {'evaluation': evaluation.name, 'error': error if math.isfinite(error) else None}
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in '=+-@\t\r' and value else value


def in_units(value: float | None, unit: float) -> str:
    """Such as MACs in units of 10^9."""
    return 'n/a' if value is None else f'{value / unit:.2f}'


def percent(value: float | None) -> str:
    """A share."""
    return 'n/a' if value is None else f'{value:.1%}'
