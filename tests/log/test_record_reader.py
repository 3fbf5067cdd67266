"""Reading a log: what is used, and what is said of the rest."""

from __future__ import annotations

import json
import os
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.log import limits
from iterbackbone.log.record_reader import parse_object, read_meta, read_records
from iterbackbone.log.records import IterationRecord

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
    assert [(line.number, line.record) for line in lines] == [(1, GOOD), (3, more)]
    assert problems == []


@pytest.mark.parametrize(
    ('bad', 'reason'),
    [
        (json.dumps(GOOD)[:-9] + '\n', 'not JSON (a truncated line?)'),
        ('[1, 2]\n', 'a line must be a JSON object, got [1, 2]'),
        ({k: v for k, v in GOOD.items() if k != 'macs'}, 'macs is missing'),
        (changed(macs=None), 'macs is missing'),
        (changed(macs='12'), "macs must be an integer from 0 to 1e+18, got '12'"),
        (changed(macs=1.5), 'macs must be an integer from 0 to 1e+18, got 1.5'),
        (changed(macs=True), 'macs must be an integer from 0 to 1e+18, got True'),
        (changed(macs=-1), 'macs must be an integer from 0 to 1e+18, got -1'),
        (changed(macs=10**301), 'macs must be an integer'),
        (changed(total_iterations=float('nan')), 'NaN is no number JSON knows'),
        (changed(mean_object_area=float('-inf')), '-Infinity is no number JSON knows'),
        (
            json.dumps(changed(ponder_cost=0)).replace(': 0}', ': 1e999}') + '\n',
            'got inf',
        ),
        (
            changed(iterations=[1, None]),
            'iterations must be a list of 1 to 32 items, each a number from 0 to 1e+06, got [1, None]',
        ),
        (changed(iterations=[1, 2, 0]), 'iterations must have 2 items, one a stage, got 3'),
        (
            changed(total_iterations=4),
            'total_iterations must be the sum of iterations, got 4 for [1, 2]',
        ),
        (changed(macs=21), 'macs must be at most macs_full (20), got 21'),
        (changed(class_names=[1]), 'class_names must be a list of 0 to 10000 items, each a text'),
        (changed(img_path=7), 'img_path must be a text of at most 4096 characters or null'),
        ('[' * 100_000 + '\n', 'nested deeper than 20 levels'),
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
    assert all(problem.reason.startswith(f'{name} must be ') for problem in problems)
    assert max(len(problem.reason) for problem in problems) < 300


@pytest.mark.parametrize(
    ('modules', 'reason'),
    [
        ({'a': 1}, "modules must be objects by name, got {'a': 1}"),
        ({'a': {'iterations': [1, 'x']}}, 'a.iterations must be a list'),
        ({'a': {'macs': -1}}, 'a.macs must be an integer from 0'),
        ({'a': {'later': 1e300}}, 'modules.a.later must be a number'),
    ],
)
def test_modules_have_the_limits_of_their_fields(tmp_path, modules, reason):
    _, (problem,) = read_records(write(tmp_path, changed(modules=modules)))
    assert problem.reason.startswith(reason)
    good = {'a': {'iterations': [1, 2], 'macs': 3}, 'b': {'mean_roi_iterations': None}}
    assert read_records(write(tmp_path, changed(modules=good)))[1] == []


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        (1e300, 'later must be a number from -1e+18 to 1e+18, got 1e+300'),
        ('x' * 100_001, 'later must have at most 100000 characters, got 100001'),
        ({'a': [[10**30]]}, 'later.a.0.0 must be a number'),
        (json.loads('[' * 30 + ']' * 30), 'is nested deeper than 20 levels'),
        (['x' * 1000] * 1100, 'a JSON object must have at most 1048576 bytes, this one has more'),
    ],
)
def test_so_have_fields_of_later_versions(tmp_path, value, reason):
    lines, (problem,) = read_records(write(tmp_path, GOOD, changed(later=value), GOOD))
    assert [line.number for line in lines] == [1, 3]
    assert reason in problem.reason


def test_digits_without_end_are_not_converted(tmp_path):
    line = json.dumps(changed(height=0)).replace(': 0}', f': {"9" * 500_000}}}') + '\n'
    _, (problem,) = read_records(write(tmp_path, line))
    assert problem.reason == 'height must be an integer from 0 to 1e+06 or null, got inf'


def test_a_log_has_a_limited_number_of_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, 'RECORDS', 3)
    assert len(read_records(write(tmp_path, *[GOOD] * 3))[0]) == 3
    with pytest.raises(ValueError, match=r'records\.jsonl must have at most 3 lines'):
        read_records(write(tmp_path, *[GOOD] * 4))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'records.jsonl')
    with pytest.raises(ValueError, match='is no regular file'):
        read_records(tmp_path / 'records.jsonl')


def test_a_line_that_is_no_utf8_is_left_out(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + b'{"img_id": "\xff"}\n')
    lines, (problem,) = read_records(path)
    assert len(lines) == 1
    assert 'not UTF-8' in problem.reason


def test_the_number_of_stages_can_be_demanded(tmp_path):
    lines, problems = read_records(write(tmp_path, GOOD), stage_limits=[9] * 4)
    assert lines == []
    assert 'iterations must have 4 items' in problems[0].reason


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_value_error(text):
    try:
        found = parse_object(text, 10**6)
    except ValueError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{"schema_version": 3}', 'schema_version must be 1 or 2, got 3: another version'),
        ('{}', 'schema_version must be 1 or 2, got None'),
        ('{"schema_version": true}', 'schema_version must be 1 or 2, got True'),
        ('{"schema_version": 1', 'not JSON'),
        (
            '{"schema_version": 1, "score": {"mAP": 1e999}}',
            r'score\.mAP must be a number from .*, got inf',
        ),
        ('{"schema_version": 1, "x": [1' + '0' * 400 + ']}', r'x\.0 must be a number from .*, got inf'),
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
