"""Parts, merging over ranks and the renaming of the folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from iterbackbone.mm.evaluation.folder import EvaluationFolder
from tests.support.log_ranks import LogRanks

FILES = ['meta.json', 'predictions.jsonl', 'records.jsonl']


def names(path):
    return sorted(p.name for p in path.iterdir())


def evaluated(path, image=1):
    folder = EvaluationFolder(path)
    folder.write({'img_id': image}, {'img_id': image})
    return folder


def ids(path, name='records.jsonl'):
    return [json.loads(line)['img_id'] for line in (path / name).read_text().splitlines()]


def test_until_published_there_are_only_parts(tmp_path):
    folder = evaluated(tmp_path / 'val_epoch_1')
    folder.close()
    assert names(tmp_path) == ['val_epoch_1.part']
    assert names(folder.path) == ['predictions.jsonl.0.part', 'records.jsonl.0.part']


def test_every_line_is_on_disk_before_the_next_is_written(tmp_path):
    folder = EvaluationFolder(tmp_path / 'log')
    for image in range(3):
        folder.write({'img_id': image}, {'img_id': image})
        # Read while the file is still open: what a kill at this moment would leave.
        for name in ('records.jsonl', 'predictions.jsonl'):
            text = (folder.path / f'{name}.0.part').read_text()
            assert [json.loads(line)['img_id'] for line in text.splitlines()] == list(range(image + 1))
            assert text.endswith('}\n')
    folder.close()


def test_published(tmp_path):
    folder = EvaluationFolder(tmp_path / 'log')
    folder.write({'img_id': 1, 'macs': 5}, {'img_id': 1})
    assert folder.publish({'schema_version': 1, 'score': {'mAP': float('nan')}}) == 1
    assert folder.path == tmp_path / 'log'
    assert names(folder.path) == FILES
    assert (folder.path / 'records.jsonl').read_text() == '{"img_id":1,"macs":5}\n'
    assert json.loads((folder.path / 'meta.json').read_text()) == {
        'schema_version': 1,
        'score': {'mAP': None},
    }


def test_a_second_evaluation_of_the_same_name_gets_its_own_folder(tmp_path):
    paths = []
    for image in range(3):
        folder = evaluated(tmp_path / 'test_epoch_12', image)
        folder.publish({'epoch': image})
        paths.append(folder.path)
    assert [path.name for path in paths] == ['test_epoch_12', 'test_epoch_12_2', 'test_epoch_12_3']
    assert [ids(path) for path in paths] == [[0], [1], [2]]


def test_two_evaluations_at_once_and_one_that_broke_off(tmp_path):
    evaluated(tmp_path / 'log', 0).close()
    first, second = evaluated(tmp_path / 'log', 1), evaluated(tmp_path / 'log', 2)
    second.publish({})
    first.publish({})
    assert names(tmp_path) == ['log', 'log.part', 'log_2']
    assert (ids(tmp_path / 'log'), ids(tmp_path / 'log_2')) == ([2], [1])


@pytest.mark.parametrize(('images', 'ranks'), [(5, 2), (4, 2), (7, 3), (1, 2)])
@pytest.mark.parametrize('indexed', [True, False])
def test_ranks_are_merged_in_order_without_padding(tmp_path, monkeypatch, images, ranks, indexed):
    # mmengine's DefaultSampler gives image i to rank i % ranks and repeats the first images
    padded = [i % images for i in range(-(-images // ranks) * ranks)]
    log = LogRanks(monkeypatch, tmp_path / 'log', ranks)
    for rank in range(ranks):
        for image in padded[rank::ranks]:
            index = image if indexed else None
            log.write(rank, {'img_id': image}, {'img_id': image}, index=index)
    path = log.publish({})
    assert ids(path) == ids(path, 'predictions.jsonl') == list(range(images))
    assert names(path) == FILES


@pytest.mark.parametrize(
    'order',
    [
        pytest.param([[2, 0, 4], [1, 3, 0]], id='reordered, the repeated image first on rank 0'),
        pytest.param([[0, 1, 2], [3, 4, 0]], id='in halves'),
        pytest.param([[4, 4, 3, 2], [1, 0]], id='repeated on one rank'),
        pytest.param([[4, 3, 2, 1, 0], []], id='a rank without images'),
    ],
)
def test_images_are_merged_whatever_the_samplers_order(tmp_path, monkeypatch, order):
    log = LogRanks(monkeypatch, tmp_path / 'log', 2)
    for rank, images in enumerate(order):
        for i in images:
            log.write(rank, {'img_id': f'i{i}'}, {'img_id': f'i{i}'}, index=i)
    path = log.publish({})
    assert ids(path) == ids(path, 'predictions.jsonl') == ['i0', 'i1', 'i2', 'i3', 'i4']


def test_ranks_of_which_one_knows_the_places_are_merged_by_name(tmp_path, monkeypatch):
    log = LogRanks(monkeypatch, tmp_path / 'log', 2)
    for rank, images in enumerate([[0, 2, 4], [1, 3, 0]]):  # as padded to the same number
        for i in images:
            log.write(rank, {'img_id': f'i{i}'}, {'img_id': f'i{i}'}, index=i if rank else None)
    assert ids(log.publish({})) == ['i0', 'i1', 'i2', 'i3', 'i4']


def test_images_of_equal_names_at_other_places_are_kept(tmp_path):
    folder = EvaluationFolder(tmp_path / 'log')
    for index in (0, 1, 1):
        folder.write({'img_id': 'a'}, {'img_id': 'a'}, index=index)
    assert folder.publish({}) == 2


def test_nothing_is_cut_where_neither_place_nor_name_is_known(tmp_path, monkeypatch):
    log = LogRanks(monkeypatch, tmp_path / 'log', 2)
    for line in range(5):
        log.write(line % 2, {'macs': line}, {})
    lines = (log.publish({}) / 'records.jsonl').read_text().splitlines()
    assert [json.loads(line)['macs'] for line in lines] == list(range(5))


def test_frames_of_videos_are_sorted_by_video_and_frame(tmp_path, monkeypatch):
    log = LogRanks(monkeypatch, tmp_path / 'log', 2)
    log.write(0, {'img_id': '2'}, {'img_id': '2'}, index=2)  # of one frame
    for rank, video in ((0, 3), (1, 0)):
        for frame in range(2):
            name = f'{video}.{frame}'
            log.write(rank, {'img_id': name}, {'img_id': name}, index=(video, frame))
    assert ids(log.publish({})) == ['0.0', '0.1', '2', '3.0', '3.1']


def test_a_failed_publication_leaves_the_earlier_log_alone(tmp_path):
    evaluated(tmp_path / 'log').publish({})
    with pytest.raises(TypeError):
        evaluated(tmp_path / 'log', 2).publish({'score': object()})
    assert json.loads((tmp_path / 'log/meta.json').read_text()) == {}
    assert names(tmp_path) == ['log', 'log.part']


def test_more_logs_of_a_name_than_a_call_may_nest(tmp_path):
    numbers = ['', *(f'_{k}' for k in range(2, sys.getrecursionlimit() + 1))]
    for number in numbers:
        for path in (tmp_path / f'log{number}', tmp_path / f'log{number}.part'):
            path.mkdir()
            (path / 'meta.json').touch()
    folder = evaluated(tmp_path / 'log')
    folder.publish({})
    assert folder.path.name == f'log_{len(numbers) + 1}'


def test_what_a_reader_would_refuse_is_cut_or_left_out(tmp_path):
    folder = EvaluationFolder(tmp_path / 'log')
    many = {'boxes': [[0, 0, 1, 1]] * 3001, 'labels': [0] * 3001}
    for index in range(2):
        folder.write({'img_id': index, 'label': -1}, {'img_id': index, 'true': many}, index=index)
    folder.publish({'classes': ['x' * 501], 'dataset': {'ann_file': ['a', 'b']}})
    assert json.loads((tmp_path / 'log/meta.json').read_text()) == {
        'classes': ['x' * 500],
    }
    for name, line in (('records', '{"img_id":1,"label":null}'), ('predictions', '{"img_id":1}')):
        assert (tmp_path / f'log/{name}.jsonl').read_text().splitlines()[1] == line


class Killed(BaseException):
    """In place of a SIGKILL: nothing that follows runs."""


def test_a_kill_at_any_moment_leaves_no_incomplete_folder(tmp_path, monkeypatch):
    """Before or after each change of a name, and before each file goes."""
    calls = []

    def maybe_killed(function, killed_at):
        def called(*args, **kwargs):
            calls.append(function)
            if len(calls) == killed_at:
                raise Killed
            return function(*args, **kwargs)

        return called

    for killed_at in range(1, 100):
        calls.clear()
        folder = evaluated(tmp_path / str(killed_at) / 'log')
        with monkeypatch.context() as patch:
            for owner, name in ((os, 'replace'), (os, 'rename'), (Path, 'rename'), (Path, 'unlink')):
                patch.setattr(owner, name, maybe_killed(getattr(owner, name), killed_at))
            try:
                folder.publish({})
            except Killed:
                assert names(tmp_path / str(killed_at)) == ['log.part']
            else:
                break
    assert killed_at > 5
    assert names(tmp_path / str(killed_at) / 'log') == FILES


def test_a_full_disk_leaves_no_rank_waiting(tmp_path, monkeypatch):
    folder, waited = evaluated(tmp_path / 'log'), []
    monkeypatch.setattr('iterbackbone.mm.evaluation.folder.barrier', lambda: waited.append(1))
    monkeypatch.setattr(folder, '_complete', fails)
    with pytest.raises(OSError, match='no room'):
        folder.publish({})
    assert len(waited) == 2


def fails(*_):
    raise OSError('no room')
