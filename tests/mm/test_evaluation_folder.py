"""Parts, merging over ranks and atomic renaming."""

from __future__ import annotations

import json

import pytest

from iterbackbone.mm import evaluation_folder
from iterbackbone.mm.evaluation_folder import EvaluationFolder


def as_rank(monkeypatch, rank, ranks):
    monkeypatch.setattr(evaluation_folder, 'get_rank', lambda: rank)
    monkeypatch.setattr(evaluation_folder, 'get_world_size', lambda: ranks)


def names(path):
    return sorted(p.name for p in path.iterdir())


def test_until_published_there_are_only_parts(tmp_path):
    folder = EvaluationFolder(tmp_path / 'val_epoch_1')
    folder.write({'img_id': 1}, {'img_id': 1})
    folder.close()
    assert names(folder.path) == ['predictions.jsonl.0.part', 'records.jsonl.0.part']


def test_every_line_is_on_disk_before_the_next_is_written(tmp_path):
    folder = EvaluationFolder(tmp_path)
    for image in range(3):
        folder.write({'img_id': image}, {'img_id': image})
        # Read while the file is still open: what a kill at this moment would leave.
        for name in ('records.jsonl', 'predictions.jsonl'):
            text = (tmp_path / f'{name}.0.part').read_text()
            assert [json.loads(line)['img_id'] for line in text.splitlines()] == list(range(image + 1))
            assert text.endswith('}\n')
    folder.close()


def test_published(tmp_path):
    folder = EvaluationFolder(tmp_path)
    folder.write({'img_id': 1, 'macs': 5}, {'img_id': 1})
    folder.publish(1, {'schema_version': 1, 'score': {'mAP': float('nan')}})
    assert names(tmp_path) == ['meta.json', 'predictions.jsonl', 'records.jsonl']
    assert (tmp_path / 'records.jsonl').read_text() == '{"img_id": 1, "macs": 5}\n'
    assert json.loads((tmp_path / 'meta.json').read_text()) == {
        'schema_version': 1,
        'score': {'mAP': None},
    }


@pytest.mark.parametrize(('images', 'ranks'), [(5, 2), (4, 2), (7, 3), (1, 2)])
def test_ranks_are_merged_in_order_without_padding(tmp_path, monkeypatch, images, ranks):
    # mmengine's DefaultSampler gives image i to rank i % ranks and repeats the first images
    padded = [i % images for i in range(-(-images // ranks) * ranks)]
    folders = []
    for rank in range(ranks):
        as_rank(monkeypatch, rank, ranks)
        folder = EvaluationFolder(tmp_path)
        for image in padded[rank::ranks]:
            folder.write({'img_id': image}, {'img_id': image})
        folders.append(folder)
    for rank in reversed(range(ranks)):  # rank 0 last, as behind a barrier
        as_rank(monkeypatch, rank, ranks)
        folders[rank].publish(images, {})
    for name in ('records.jsonl', 'predictions.jsonl'):
        lines = (tmp_path / name).read_text().splitlines()
        assert [json.loads(line)['img_id'] for line in lines] == list(range(images))
    assert names(tmp_path) == ['meta.json', 'predictions.jsonl', 'records.jsonl']


def test_a_failed_write_leaves_the_published_file_alone(tmp_path):
    first = EvaluationFolder(tmp_path)
    first.write({'img_id': 1}, {'img_id': 1})
    first.publish(1, {})
    second = EvaluationFolder(tmp_path)
    second.write({'img_id': 2}, {'img_id': 2})
    with pytest.raises(TypeError):
        second.publish(1, {'score': object()})
    assert json.loads((tmp_path / 'meta.json').read_text()) == {}
