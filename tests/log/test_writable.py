"""What the writer gets beside what the reader takes."""

from __future__ import annotations

import json

import pytest

from iterbackbone.log.meta_schema import EvaluationMeta
from iterbackbone.log.parsing import Parser
from iterbackbone.log.schema import IterationRecord, PredictionLine
from iterbackbone.log.writable import LineWriter

META = dict(schema_version=2, classes=['a'], max_iterations=[1], blocks_per_stage=[1])
MANY = dict(boxes=[[0.0, 0.0, 1.0, 1.0]] * 3001, labels=[0] * 3001)
MOST = 2**24


@pytest.mark.parametrize(
    ('kind', 'content', 'expected'),
    [
        (IterationRecord, dict(label=-1, macs=1), dict(label=None, macs=1)),
        (IterationRecord, dict(img_id='x' * 5000), dict(img_id='x' * 4096)),
        (IterationRecord, dict(img_id=[1]), dict(img_id=None)),
        (IterationRecord, dict(class_names=['a', 'x' * 501]), dict(class_names=['a', 'x' * 500])),
        (IterationRecord, dict(scores={'x' * 501: 1.0}), dict(scores={'x' * 500: 1.0})),
        (PredictionLine, dict(img_id=1, true=MANY), dict(img_id=1)),
        (EvaluationMeta, {**META, 'classes': ['x' * 501]}, {**META, 'classes': ['x' * 500]}),
        (
            EvaluationMeta,
            {**META, 'dataset': dict(type='x' * 501, ann_file=['a', 'b'], num_images=1)},
            {**META, 'dataset': dict(type='x' * 500, ann_file=None, num_images=1)},
        ),
    ],
)
def test_what_does_not_fit_is_cut_or_left_out(kind, content, expected):
    said = []
    write = LineWriter(kind, said.append)
    lines = [write(content) for _ in range(2)]
    assert [json.loads(line) for line in lines] == [expected] * 2
    Parser(kind, MOST)(lines[0])
    assert len(said) == 1
    assert 'is beyond the limits of the iteration log' in said[0]


def test_a_line_that_fits_stays_as_it_is_also_with_other_fields():
    said = []
    write = LineWriter(IterationRecord, said.append)
    assert write({'img_id': 1, 'mine': [1]}) == b'{"img_id":1,"mine":[1]}\n'
    assert said == []
