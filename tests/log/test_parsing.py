"""One line of the log, and what the writer makes of what readers refuse."""

from __future__ import annotations

import json
import math
from pathlib import PurePath

import numpy as np
import pytest

from iterbackbone.log.meta_schema import EvaluationMeta
from iterbackbone.log.parsing import LineWriter, Parser, to_line
from iterbackbone.log.schema import IterationRecord, PredictionLine

META = dict(schema_version=2, classes=['a'], max_iterations=[1], blocks_per_stage=[1])
MANY = dict(boxes=[[0.0, 0.0, 1.0, 1.0]] * 3001, labels=[0] * 3001)
MOST = 2**24


def test_numbers_that_are_not_finite_become_null():
    line = to_line({'a': math.nan, 'b': [1.5, math.inf], 'c': {'d': -math.inf}, 'e': (2, None)})
    assert line == b'{"a":null,"b":[1.5,null],"c":{"d":null},"e":[2,null]}\n'


def test_a_record_is_one_line_whatever_its_text():
    line = to_line({'img_path': 'a\nb"<script>ü'})
    assert line.count(b'\n') == 1
    assert json.loads(line) == {'img_path': 'a\nb"<script>ü'}


def test_unknown_types_are_refused():
    with pytest.raises(TypeError):
        to_line({'a': object()})


def test_arrays_paths_and_names_that_are_no_utf_8():
    line = to_line({'a': np.int64(3), 'b': np.array([1.5, 2]), 'c': PurePath('x/y'), 'd': np.str_('é')})
    assert json.loads(line) == {'a': 3, 'b': [1.5, 2], 'c': 'x/y', 'd': 'é'}
    line = to_line({'img_path': 'caf\udce9.png', 'b': ['ü', PurePath('\udce9')]})
    assert json.loads(line) == {'img_path': 'caf\\udce9.png', 'b': ['ü', '\\udce9']}


@pytest.mark.parametrize(
    ('kind', 'content', 'expected'),
    [
        (IterationRecord, dict(label=-1, macs=1), dict(label=None, macs=1)),
        (IterationRecord, dict(img_id='x' * 5000), dict(img_id='x' * 500)),
        (IterationRecord, dict(img_id=[1]), dict(img_id=None)),
        (IterationRecord, dict(class_names=['a', 'x' * 501]), dict(class_names=['a', 'x' * 500])),
        (IterationRecord, dict(scores={'x' * 501: 1.0}), dict(scores={'x' * 500: 1.0})),
        (PredictionLine, dict(img_id=1, true=MANY), dict(img_id=1)),
        (EvaluationMeta, {**META, 'classes': ['x' * 501]}, {**META, 'classes': ['x' * 500]}),
        (
            EvaluationMeta,
            {**META, 'dataset': dict(type='x' * 501, ann_file='a', num_images=1)},
            {**META, 'dataset': dict(type='x' * 500, ann_file='a', num_images=1)},
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
