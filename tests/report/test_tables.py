"""Markdown and CSV, also where names are hostile."""

from __future__ import annotations

import csv
import io

import pytest

from iterbackbone.report.evaluation import load_evaluation, load_evaluations
from iterbackbone.report.summary import summarise
from iterbackbone.report.tables import markdown, plain, side_by_side, write_csv
from tests.support.logs import correlated, record, write_log


def test_a_table_of_two_evaluations(tmp_path):
    folders = [
        write_log(tmp_path / 'a', correlated(20), score={'mAP': 0.5}),
        write_log(tmp_path / 'b', correlated(10, seed=1), score={'mAP': 0.25, 'AP50': 0.75}),
    ]
    summaries = [summarise(e) for e in load_evaluations(folders, ['first', 'second|run'])]
    rows = dict(side_by_side(summaries))
    assert rows['images'] == ['20', '10']
    assert rows['score: mAP'] == ['0.500', '0.250']
    assert rows['score: AP50'] == ['', '0.750']
    assert rows['of at most'] == ['3/4/6/3', '3/4/6/3']
    assert rows['parameters of the model (backbone), M'] == ['2.00 (0.50)'] * 2
    lines = markdown(summaries).splitlines()
    assert lines[0] == '|  | first | second\\|run |'
    assert lines[1] == '|---|---|---|'
    assert '| images | 20 | 10 |' in lines
    assert {line.replace('\\|', '').count('|') for line in lines if line.startswith('|')} == {4}
    assert 'first:' in lines


def test_the_rois_of_a_c4_detector_and_budgets_have_rows(tmp_path):
    records = [record(i, num_rois=100 + i, mean_roi_iterations=1.0 + i) for i in range(3)]
    folder = write_log(
        tmp_path / 'a',
        records,
        roi_max_iterations=[3],
        roi_budget={'caps': [2], 'threshold': None, 'share': 0.6},
        budget={'caps': None, 'threshold': 0.7},
    )
    rows = dict(side_by_side([summarise(load_evaluation(folder))]))
    assert rows['RoIs per image'] == ['101.0']
    assert rows['iterations per RoI'] == ['2.01 of at most 3']  # 608 in 303 RoIs
    assert rows['budget of the RoI head'] == ['at most 2 iterations, 60.0% of the MACs']
    assert rows['budget'] == ['halting at 0.7']


def test_the_time_of_an_image_stands_beside_its_macs(tmp_path):
    time = {'milliseconds_per_image': 12.3456, 'batch_size': 2, 'device': 'cpu', 'threads': 4}
    folders = [
        write_log(tmp_path / 'a', correlated(4), time=time),
        write_log(
            tmp_path / 'b',
            correlated(4),
            time={**time, 'milliseconds_per_image': 28.0004, 'device': 'NVIDIA H100'},
        ),
        write_log(tmp_path / 'c', correlated(4), time={'device': 'cuda', 'batch_size': 1}),
        write_log(tmp_path / 'd', correlated(4)),  # of an older version
    ]
    rows = dict(side_by_side([summarise(e) for e in load_evaluations(folders)]))
    assert rows['milliseconds per image'] == [
        '12.35 (batches of 2, cpu, 4 threads)',
        '28.00 (batches of 2, NVIDIA H100)',
        'n/a (batches of 1, cuda)',
        '',
    ]


def test_without_correlations_markdown_says_so_once(tmp_path):
    folder = write_log(tmp_path / 'a', [record(i, objects=i % 4) for i in range(12)])
    text = markdown([summarise(load_evaluation(folder))])
    assert text.count('No correlation can be computed') == 1


def test_a_score_cannot_take_another_rows_place(tmp_path):
    folder = write_log(tmp_path / 'a', correlated(4), score={'images': 3.0})
    rows = dict(side_by_side([summarise(load_evaluation(folder))]))
    assert (rows['images'], rows['score: images']) == (['4'], ['3.000'])


@pytest.mark.parametrize('text', ['@somebody', 'https://example.org', 'www.example.org', 'a\x1b[31mb'])
def test_nothing_becomes_a_link_a_mention_or_a_colour(text):
    assert text not in plain(text)
    assert '\x1b' not in plain(text)


@pytest.mark.parametrize('text', ['<script>alert(1)</script>', '[x](javascript:y)', '`a` | b', '**b**'])
def test_markup_is_shown_as_it_is(text):
    assert plain(text).replace('\\', '') == text
    assert not any(f'{c}' in plain(text).replace(f'\\{c}', '') for c in '<>[]`*|')


def test_line_breaks_do_not_break_the_table():
    assert plain('a\nb\r\n| c') == 'a b \\| c'


def test_csv_holds_every_image_and_no_formula(tmp_path):
    records = [
        record(0, (1, 2, 3, 1)),
        record(1, objects=0, img_path='=cmd|calc'),
        record(2, img_id='+1', img_path='a,"b"\nc'),
    ]
    evaluation = load_evaluation(write_log(tmp_path / 'a', records))
    text = io.StringIO()
    write_csv([evaluation], text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert [row['total_iterations'] for row in rows] == ['7', '4', '4']
    assert [row['iterations_stage2'] for row in rows] == ['3', '1', '1']
    assert [row['error'] for row in rows] == ['0', '', '0']
    assert [row['mean_object_area'] for row in rows] == ['1920', '', '1920']
    assert (rows[1]['img_path'], rows[2]['img_id']) == ("'=cmd|calc", "'+1")
    assert rows[2]['img_path'] == 'a,"b"\nc'
