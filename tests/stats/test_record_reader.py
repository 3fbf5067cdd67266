"""Reading a log: what is used, and what is said of the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.stats.record_reader import parse_object, read_meta, read_records

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
        (changed(macs='12'), "macs must be int, not negative, got '12'"),
        (changed(macs=1.5), 'macs must be int, not negative, got 1.5'),
        (changed(macs=True), 'macs must be int, not negative, got True'),
        (changed(macs=-1), 'macs must be int, not negative, got -1'),
        (changed(macs=10**301), 'macs must be int'),
        (changed(total_iterations=float('nan')), 'NaN is no number JSON knows'),
        (changed(mean_object_area=float('-inf')), '-Infinity is no number JSON knows'),
        (
            json.dumps(changed(ponder_cost=0)).replace(': 0}', ': 1e999}') + '\n',
            'got inf',
        ),
        (changed(iterations=[1, None]), 'iterations must be list[float], not negative, got [1, None]'),
        (changed(iterations=[1, 2, 0]), 'iterations must have 2 items, one a stage, got 3'),
        (
            changed(total_iterations=4),
            'total_iterations must be the sum of iterations, got 4 for [1, 2]',
        ),
        (changed(macs=21), 'macs must be at most macs_full (20), got 21'),
        (changed(class_names=[1]), 'class_names must be list[str] | None'),
        (changed(img_path=7), 'img_path must be str | None'),
        ('[' * 100_000 + '\n', ''),
    ],
)
def test_other_lines_are_named_and_left_out(tmp_path, bad, reason):
    path = write(tmp_path, GOOD, bad, GOOD)
    lines, (problem,) = read_records(path)
    assert [line.number for line in lines] == [1, 3]
    assert (problem.file, problem.line) == (str(path), 2)
    assert reason in problem.reason
    assert str(problem).startswith(f'{path}:2: ')


def test_a_line_that_is_no_utf8_is_left_out(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + b'{"img_id": "\xff"}\n')
    lines, (problem,) = read_records(path)
    assert len(lines) == 1
    assert 'not UTF-8' in problem.reason


def test_the_number_of_stages_can_be_demanded(tmp_path):
    lines, problems = read_records(write(tmp_path, GOOD), num_stages=4)
    assert lines == []
    assert 'iterations must have 4 items' in problems[0].reason


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_value_error(text):
    try:
        found = parse_object(text)
    except ValueError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{"schema_version": 2}', 'schema_version must be 1, got 2: another version'),
        ('{}', 'schema_version must be 1, got None'),
        ('{"schema_version": 1', 'not JSON'),
        ('{"schema_version": 1, "score": {"mAP": 1e999}}', 'inf is too large a number'),
        ('{"schema_version": 1, "x": [1' + '0' * 400 + ']}', 'is too large a number'),
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
