"""What fitted halting is worth on the calibration images, as text and as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...files import whole_file
from ...fitting.halting import FittedBlock
from ...fitting.max_drop import cheapest, least_sources
from ...fitting.procedure import Fit
from ...stats.gain import envelope, gain
from .images import FitOptions

STATIC = 'No block has gains that could be predicted: each share is a static budget, nothing adapts.'


class FitReport(NamedTuple):
    """Figures."""

    images: dict[str, Any]  # which ones were used, and whether features were trained on them
    score: str  # what is compared: the task's score of an image, or its loss with the sign changed
    blocks: list[dict[str, Any]]  # correlation of predicted and true gains (or None), form of the unit
    budgets: list[dict[str, Any]]  # of each share: asked, met, score, mixture, gain with interval
    menu: list[dict[str, Any]]  # static budgets: depths, share, score
    drop: dict[str, Any] | None  # of --max-drop, if it was asked for

    @classmethod
    def of(cls, fit: Fit, options: FitOptions, groups: Tensor) -> FitReport:
        """Measure a fit; ``groups`` are the calibration images' sources, (N,) int64."""
        full = fit.menu[-1][1]
        images = {name: str(getattr(options, name)) for name in ('fit', 'calibrate')}
        menu = [
            {'depths': list(depths), 'share': o.cost / full.cost, 'score': float(o.worth.mean())}
            for depths, o in fit.menu
        ]
        return cls(
            {**images, 'trained_on_these': options.trained_on_these},
            '-loss' if full.scores is None else 'score',
            [_block(b) for b in fit.blocks],
            _budgets(fit, groups),
            menu,
            None if options.max_drop is None else _drop(fit, groups, options.max_drop),
        )

    def write(self, path: Path) -> None:
        """As JSON."""
        with whole_file(path) as file:
            file.write(json.dumps(self._asdict(), indent=1).encode())

    def text(self) -> str:
        """Tables for a terminal."""
        lines = [f'On {self.images["calibrate"]}; score: {self.score}', '']
        lines += [f'{"static budget":>24} {"share":>7} {"score":>8}']
        lines += [f'{m["depths"]!s:>24} {m["share"]:7.3f} {m["score"]:8.4f}' for m in self.menu]
        lines += ['', f'{"asked":>7} {"met":>7} {"score":>8} {"static":>8} {"G":>8}  95% interval']
        lines += [_line(b) for b in self.budgets]
        lines += ['', 'correlation of predicted and true gains, by block:']
        lines += [
            f'  {"-" if b["correlation"] is None else format(b["correlation"], ".3f")} ({b["unit"]})'
            for b in self.blocks
        ]
        if all(b['held_out'] is None for b in self.blocks):
            lines += ['', STATIC]
        return '\n'.join(lines + ([] if self.drop is None else ['', self.drop['sentence']]))


def _line(budget: dict[str, Any]) -> str:
    line = '{asked:7.3f} {met:7.3f} {score:8.4f}'.format(**budget)
    if budget['gain'] is None:
        return f'{line}  costs more than every static budget, or less'
    return f'{line} {{static:8.4f}} {{gain:+8.4f}}  {{low:+.4f}} to {{high:+.4f}}'.format(**budget)


def _block(block: FittedBlock) -> dict[str, Any]:
    constant = 'not fitted' if block.correlation is None else 'constant depth'
    return {
        'correlation': block.correlation,
        'held_out': None if block.unit is None else block.unit.correlation,
        'unit': constant if block.unit is None else block.unit.kind,
    }


def _budgets(fit: Fit, groups: Tensor) -> list[dict[str, Any]]:
    """Against the best static budgets on the very same images, which flatters these if anything."""
    outcomes = [outcome for _, outcome in fit.menu]
    costs = [o.cost for o in outcomes]
    vertices = envelope(costs, [float(o.worth.mean()) for o in outcomes])
    menu = torch.stack([o.macs for o in outcomes]), torch.stack([o.worth for o in outcomes])
    rows = []
    for point in fit.points:
        own = point.outcome
        row = {'asked': point.asked, 'met': own.cost / costs[-1], 'score': float(own.worth.mean())}
        row |= dict.fromkeys(('static', 'gain', 'low', 'high'))
        if min(costs) <= own.cost <= max(costs):  # of regions there may be more than at full depth
            found = gain(own.macs, own.worth, *menu, vertices=vertices, groups=groups)
            row |= {'met': found.share, 'score': found.score, 'static': found.mixture}
            row |= {'gain': found.value, 'low': found.low, 'high': found.high}
        rows.append(row)
    return rows


def _drop(fit: Fit, groups: Tensor, points: float) -> dict[str, Any]:
    full = fit.menu[-1][1]
    if full.scores is None:
        return {'sentence': '--max-drop: this task has no score of a single image.', 'share': None}
    below = [p for p in fit.points if p.share < 1.0]
    scores, shares = [p.outcome.worth for p in below], [p.share for p in below]
    best, tested = cheapest(shares, scores, full.scores, points / 100.0, groups)
    sentence = f'--max-drop {points:g}: no share loses less with 95% confidence.'
    if (got := len(groups.unique())) < (needed := least_sources(points / 100.0)):
        sentence = f'--max-drop {points:g} needs {needed} calibration images (sources), got {got}.'
    if best is not None:
        sentence = (
            f'--max-drop {points:g}: share {best.share:.3f} loses {100 * best.mean:+.2f} points, '
            f'less than {100 * best.upper:.2f} with 95% confidence.'
        )
    return {
        'sentence': sentence,
        'share': None if best is None else best.share,
        'test': 'paired bootstrap, one-sided, 95%; fixed sequence from the highest share down',
        'tested': [t._asdict() for t in tested],
    }
