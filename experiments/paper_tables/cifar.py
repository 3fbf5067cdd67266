"""The paper's Tables 1 (CIFAR-10) and 2 (CIFAR-100): ResNets, and four expansions twice."""

from __future__ import annotations

from collections.abc import Mapping

from .networks import RESNET_DEPTHS, iterative, resnet
from .row import Row, Table

EXPANSIONS = (4, 3, 2, 1)


def _table(title: str, num_classes: int, paper: Mapping[str, dict], notes: tuple[str, ...]) -> Table:
    def row(name: str, model: dict) -> Row:
        return Row(name, model, paper.get(name, {}))

    def ours(suffix: str, **options: bool) -> tuple[Row, ...]:
        return tuple(
            row(
                f'IterativeNet152_e{e}{suffix}',
                iterative(num_classes, stem='cifar', expansion=e, **options),
            )
            for e in EXPANSIONS
        )

    plain = tuple(row(f'ResNet{d}', resnet(d, num_classes, 'cifar')) for d in RESNET_DEPTHS)
    return Table(
        title=title,
        image_size=32,
        accuracies=('top1',),
        parts={
            'ResNets': plain,
            'Iterative networks, expansion 4 to 1': ours(''),
            'The same with depthwise-separable convolutions': ours('_dw', depthwise=True),
        },
        notes=notes,
    )


CIFAR10 = _table(
    'Table 1: CIFAR-10',
    10,
    {
        'ResNet152': dict(features='58', macs_mean='3.7'),
        'IterativeNet152_e4': dict(features='9'),
        'IterativeNet152_e1': dict(features='4'),
    },
    (
        "The paper's text: on one core of a Xeon at 2.10 GHz the iterative networks took 40% to 80% of "
        "ResNet152's forward time; at all iterations they cost slightly more MACs than it.",
    ),
)
CIFAR100 = _table('Table 2: CIFAR-100', 100, {}, ())
