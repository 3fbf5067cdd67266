"""Reading a log: what is used, and what is said of the rest."""

from __future__ import annotations

import json
import os
import re
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.log import reader
from iterbackbone.log.parsing import Parser
from iterbackbone.log.reader import read_lines, read_meta, read_records
from iterbackbone.log.schema import IterationRecord, PredictionLine
from tests.support.logs import record, write_log

GOOD = {'iterations': [1, 2], 'total_iterations': 3, 'macs': 10, 'macs_full': 20, 'img_id': 'a'}


def write(tmp_path, *lines):
    path = tmp_path / 'records.jsonl'
    path.write_text(
        ''.join(line if isinstance(line, str) else json.dumps(line) + '\n' for line in lines)
    )
    return path


def changed(**fields):
    return {**GOOD, **fields}


def test_good_lines_come_back_with_their_numbers(tmp_path):
    more = changed(num_objects=None, something_of_a_later_version={'a': 1})
    lines, problems = read_records(write(tmp_path, GOOD, '\n', more))
    assert [(line.number, line.record) for line in lines] == [(1, GOOD), (3, changed(num_objects=None))]
    assert problems == []


@pytest.mark.parametrize(
    ('bad', 'reason'),
    [
        (json.dumps(GOOD)[:-9] + '\n', 'not JSON (a truncated line?)'),
        ('[1, 2]\n', 'the line: Expected `object`, got `array`, got [1, 2]'),
        ({k: v for k, v in GOOD.items() if k != 'macs'}, 'macs is missing'),
        (changed(macs=None), 'macs: Expected `int`, got `null`'),
        (changed(macs='12'), "macs: Expected `int`, got `str`, got '12'"),
        (changed(macs=1.5), 'macs: Expected `int`, got `float`, got 1.5'),
        (changed(macs=True), 'macs: Expected `int`, got `bool`, got True'),
        (changed(macs=-1), 'macs: Expected `int` >= 0, got -1'),
        (changed(macs=10**301), 'macs: Expected `int` <= 1000000000000000000, got 1e+301'),
        (changed(total_iterations=float('nan')), 'not JSON'),
        (changed(mean_object_area=float('-inf')), 'not JSON'),
        (
            json.dumps(changed(ponder_cost=0)).replace(': 0}', ': 1e999}') + '\n',
            'ponder_cost: Number out of range, got inf',
        ),
        (
            changed(iterations=[1, None]),
            'iterations[1]: Expected `float`, got `null`, got None',
        ),
        (changed(iterations=[1, 2, 0]), 'iterations must have 2 items, got 3'),
        (
            changed(total_iterations=4),
            'total_iterations must be the sum of iterations, got 4.0 for [1.0, 2.0]',
        ),
        (changed(macs=21), 'macs must be at most macs_full (20), got 21'),
        (changed(class_names=[1]), 'class_names[0]: Expected `str`, got `int`, got 1'),
        (changed(img_path=7), 'img_path: Expected `str | null`, got `int`, got 7'),
        ('{"a": ' + '[' * 100_000 + '\n', 'nested too deeply'),
    ],
)
def test_other_lines_are_named_and_left_out(tmp_path, bad, reason):
    path = write(tmp_path, GOOD, bad, GOOD)
    lines, (problem,) = read_records(path)
    assert [line.number for line in lines] == [1, 3]
    assert (problem.file, problem.line) == (str(path), 2)
    assert reason in problem.reason
    assert str(problem).startswith(f'{path}:2: ')


FIELDS = sorted(get_type_hints(IterationRecord))
BEYOND = [1e300, 10**200, 'x' * 5000, [1] * 100_001, ['x' * 501]]


@pytest.mark.parametrize('name', FIELDS)
def test_every_field_has_limits(tmp_path, name):
    path = write(tmp_path, *(changed(**{name: value}) for value in BEYOND))
    lines, problems = read_records(path)
    assert lines == []
    assert [problem.line for problem in problems] == [1, 2, 3, 4, 5]
    assert all(problem.reason.startswith((f'{name}: ', f'{name}[')) for problem in problems)
    assert max(len(problem.reason) for problem in problems) < 300


@pytest.mark.parametrize(
    ('modules', 'reason'),
    [
        ({'a': 1}, 'modules[...]: Expected `object`, got `int`'),
        ({'a': {'iterations': [1, 'x']}}, 'modules[...].iterations[1]: Expected `float`, got `str`'),
        ({'a': {'macs': -1}}, 'modules[...].macs: Expected `int` >= 0'),
    ],
)
def test_modules_have_the_limits_of_their_fields(tmp_path, modules, reason):
    _, (problem,) = read_records(write(tmp_path, changed(modules=modules)))
    assert problem.reason.startswith(reason)
    good = {'a': {'iterations': [1, 2], 'macs': 3}, 'b': {'mean_roi_iterations': None}}
    assert read_records(write(tmp_path, changed(modules=good)))[1] == []


@pytest.mark.parametrize('value', [1e300, 'x' * 100_001, {'a': [[10**30]]}])
def test_fields_of_later_versions_are_left_out(tmp_path, value):
    (line,), problems = read_records(write(tmp_path, changed(later=value)))
    assert (line.record, problems) == (GOOD, [])


def test_a_line_has_a_limited_length(tmp_path):
    lines, (problem,) = read_records(write(tmp_path, GOOD, changed(later=['x' * 1000] * 1100), GOOD))
    assert [line.number for line in lines] == [1, 3]
    assert problem.reason == 'it must have at most 1048576 bytes, it has more'


def test_digits_without_end_are_not_converted(tmp_path):
    line = json.dumps(changed(height=0)).replace(': 0}', f': {"9" * 500_000}}}') + '\n'
    _, (problem,) = read_records(write(tmp_path, line))
    assert problem.reason == 'height: Integer value out of range, got inf'


def test_of_a_line_that_is_too_long_the_beginning_is_read(tmp_path):
    (tmp_path / 'log').write_bytes(b'1234\n' + b'x' * 50 + b'\n56\n' + b'y' * 50)
    texts = [(1, b'1234\n'), (2, b'x' * 6), (3, b'56\n'), (4, b'y' * 6)]
    assert list(read_lines(tmp_path / 'log', 5)) == texts


def test_a_log_has_a_limited_number_of_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, 'MOST_LINES', 3)
    assert len(read_records(write(tmp_path, *[GOOD] * 3))[0]) == 3
    with pytest.raises(ValueError, match=r'records\.jsonl must have at most 3 lines'):
        read_records(write(tmp_path, *[GOOD] * 4))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'records.jsonl')
    with pytest.raises(ValueError, match=r'is no complete evaluation: it has no records\.jsonl'):
        read_records(tmp_path / 'records.jsonl')


def test_a_line_that_is_no_utf8_is_left_out(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + b'{"img_id": "\xff"}\n')
    lines, (problem,) = read_records(path)
    assert len(lines) == 1
    assert 'not JSON' in problem.reason


def test_the_number_of_stages_can_be_demanded(tmp_path):
    lines, problems = read_records(write(tmp_path, GOOD), stage_limits=[9] * 4)
    assert lines == []
    assert 'iterations must have 4 items' in problems[0].reason


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_value_error(text):
    try:
        found = Parser(PredictionLine, 10**6)(text)
    except ValueError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{"schema_version": 3}', 'schema_version: Invalid enum value 3, got 3: another version'),
        ('{}', 'missing required field `schema_version`'),
        ('{"schema_version": true}', 'schema_version: Expected `int`, got `bool`, got True'),
        ('{"schema_version": 1', 'not JSON'),
        ('{"schema_version": 1, "score": {"mAP": 1e999}}', 'Number out of range'),
        ('{"schema_version": 1, "epoch": [1]}', 'epoch: Expected `int`, got `array`'),
    ],
)
def test_meta_of_another_version_is_refused(tmp_path, text, reason):
    (tmp_path / 'meta.json').write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_meta(tmp_path / 'meta.json')


def test_an_unfinished_evaluation_is_refused(tmp_path):
    (tmp_path / 'records.jsonl.0.part').touch()
    with pytest.raises(ValueError, match='is no complete evaluation: it has no meta'):
        read_meta(tmp_path / 'meta.json')


UNIT = [0, 0, 1, 1]


@pytest.mark.parametrize(
    ('boxes', 'reason'),
    [
        (None, 'predicted: Expected `object`, got `null`'),
        ({'labels': []}, 'predicted: Object missing required field `boxes`'),
        ({'boxes': [[1, 2, 3]], 'labels': [0]}, 'predicted.boxes[0]: Expected `array` of length >= 4'),
        ({'boxes': [[0, 0, 1, 'x']], 'labels': [0]}, 'predicted.boxes[0][3]: Expected `float`'),
        ({'boxes': [[0, 0, 1, 1e10]], 'labels': [0]}, 'predicted.boxes[0][3]: Expected `float` <='),
        ({'boxes': [UNIT] * 3001, 'labels': []}, 'predicted.boxes: Expected `array` of length <= 3000'),
        ({'boxes': [UNIT], 'labels': [0.5]}, 'predicted.labels[0]: Expected `int`, got `float`'),
    ],
)
def test_boxes_have_limits(boxes, reason):
    with pytest.raises(ValueError, match=f'^{re.escape(reason)}'):
        Parser(PredictionLine, 10**6)(json.dumps({'predicted': boxes}).encode())


def test_records_of_another_number_of_blocks_are_named(tmp_path):
    entries = [record(i, iterations_per_block=blocks) for i, blocks in enumerate(([1, 2], [3], [2, 1]))]
    lines, problems = read_records(write_log(tmp_path / 'log', entries) / 'records.jsonl')
    assert [line.number for line in lines] == [1, 3]
    assert str(problems[0]).endswith('iterations_per_block must have 2 items, got 1')
