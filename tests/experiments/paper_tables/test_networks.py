"""The networks of the paper's tables are those that others count, and ours those of the paper."""

from __future__ import annotations

import pytest

from experiments.paper_tables import TABLES
from experiments.paper_tables.measurement import counts


def test_table_2_differs_in_the_classifier_and_has_no_stated_figures():
    first, second = TABLES[1].rows, TABLES[2].rows
    assert list(first) == list(second)
    assert {row.model['head']['num_classes'] for row in second.values()} == {100}
    assert not any(row.paper for row in second.values())
    assert all(second[name].model['backbone'] == row.model['backbone'] for name, row in first.items())


# Torchvision's documentation states the parameters and GFLOPS (multiply-adds) of its networks.
@pytest.mark.parametrize(
    ('name', 'parameters', 'gmac'),
    [
        ('SqueezeNet1.1', 1235496, 0.35),
        ('MobileNetV2', 3504872, 0.30),
        ('ShuffleNetV2', 2278604, 0.14),
        ('EfficientNetB0', 5288548, 0.39),
        ('DenseNet121', 7978856, 2.83),
        ('InceptionV3', 27161264 - 3326696, 5.71),  # without the auxiliary classifier
        ('ResNet18', 11689512, 1.81),
    ],
)
def test_networks_of_others(name, parameters, gmac):
    row = TABLES[3].rows[name]
    found = counts(row.build(), TABLES[3].size(row))
    assert found['parameters'] == parameters
    assert round(found['macs_mean'] / 1e9, 2) == gmac


def test_the_papers_imagenet_networks():
    rows = TABLES[3].rows
    expected = {'': (9.34, 1.35, 11.40), '_small': (5.58, 0.89, 8.57), '_double': (15.89, 2.23, 22.33)}
    for suffix, figures in expected.items():
        found = counts(rows[f'IterativeNet152{suffix}'].build(), (224, 224))
        macs = (found[f'macs_{bound}'] / 1e9 for bound in ('lowest', 'highest'))
        assert tuple(round(n, 2) for n in (found['features'] / 1e6, *macs)) == figures
    assert rows['ResNet152'].paper['top1'] == '77.1 and 78.3'  # the text has both
