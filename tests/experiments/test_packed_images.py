"""Packed images as a data set, and batches of crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from experiments.packed_images import (
    BatchCrops,
    Float32Head,
    PackedBatches,
    PackedImages,
    whole_batch,
)
from tests.support.packed import packed


def test_items(tmp_path):
    images, labels = packed(tmp_path, 'train', 6, side=4)
    dataset = PackedImages(str(tmp_path), 'train')
    assert len(dataset) == 6
    for i in range(6):
        item = dataset[i]
        assert np.array_equal(item['inputs'].permute(1, 2, 0), images[i])
        assert int(item['data_samples'].gt_label) == labels[i]
        assert item['data_samples'].img_shape == (4, 4)


def test_a_part_is_the_same_every_time(tmp_path):
    packed(tmp_path, 'train', 20, side=4)
    first, second = (PackedImages(str(tmp_path), 'train', indices=7) for _ in range(2))
    assert [item['index'] for item in first.data_list] == [i['index'] for i in second.data_list]
    assert len({item['index'] for item in first.data_list}) == 7


def test_a_batch_is_read_at_once(tmp_path):
    """By torch's own loader: the items in order, their labels in the same order."""
    images, labels = packed(tmp_path, 'train', 8, side=4)
    dataset = PackedBatches(data_root=str(tmp_path), part='train')
    order = [5, 2, 7]
    (batch,) = DataLoader(dataset, 3, sampler=order, collate_fn=whole_batch)
    assert np.array_equal(batch['inputs'].permute(0, 2, 3, 1), images[order])
    found = crops(size=4)(batch)
    assert found['data_samples'].argmax(1).tolist() == list(labels[order])
    one_by_one = [dataset[i]['inputs'] for i in order]
    assert torch.equal(found['inputs'], crops(size=4)({'inputs': one_by_one})['inputs'])


def test_images_on_a_device_are_those_of_the_file(tmp_path):
    images, _ = packed(tmp_path, 'train', 8, side=4)
    dataset = PackedBatches(data_root=str(tmp_path), part='train', device='cpu:0')
    assert isinstance(dataset.images, torch.Tensor)
    order = [5, 2, 7]
    found = dataset.__getitems__(order)['inputs']
    assert np.array_equal(found.permute(0, 2, 3, 1), images[order])


def test_a_target_mixes_the_smoothed_label_and_the_teacher(tmp_path):
    _, labels = packed(tmp_path, 'train', 8, side=4)
    classes = labels.max() + 1
    said = np.random.default_rng(0).dirichlet(np.ones(classes), 8).astype(np.float16)
    np.save(tmp_path / 'train_teacher.npy', said)
    order = [5, 2, 7]
    options = dict(smoothing=0.1, teacher=0.25, data_root=str(tmp_path), part='train')
    (batch,) = DataLoader(PackedBatches(**options), 3, sampler=order, collate_fn=whole_batch)
    found = crops(size=4)(batch)['data_samples']
    for row, i in zip(found, order, strict=True):
        smoothed = 0.9 * (np.arange(classes) == labels[i]) + 0.1 / classes
        expected = 0.25 * said[i].astype(np.float32) + 0.75 * smoothed
        assert torch.allclose(row, torch.from_numpy(expected).float())


def crops(**options):
    return BatchCrops(mean=[10.0, 20.0, 30.0], std=[2.0, 2.0, 2.0], **options)


def test_evaluation_normalises_and_resizes():
    x = torch.tensor([12.0, 24.0, 36.0]).view(1, 3, 1, 1).expand(2, 3, 8, 8).to(torch.uint8)
    found = crops(size=6)({'inputs': list(x)})['inputs']
    assert found.shape == (2, 3, 6, 6)
    for channel, value in enumerate((1.0, 2.0, 3.0)):
        assert torch.allclose(found[:, channel], torch.tensor(value))


def test_a_crop_of_everything_is_the_image_or_its_mirror():
    torch.manual_seed(0)
    x = torch.randint(256, (16, 3, 8, 8), dtype=torch.uint8)
    preprocessor = crops(size=8, scale=(1.0, 1.0), ratio=1.0)
    plain = preprocessor({'inputs': x})['inputs']
    found = preprocessor({'inputs': x}, training=True)['inputs']
    mirrored = [torch.allclose(a, b.flip(2), atol=1e-3) for a, b in zip(found, plain, strict=True)]
    same = [torch.allclose(a, b, atol=1e-3) for a, b in zip(found, plain, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert any(mirrored)
    assert any(same)


def test_a_crop_lies_inside_the_image():
    """Of a horizontal ramp every crop is a ramp, within its ends and as long as its share."""
    torch.manual_seed(0)
    x = torch.arange(64.0).view(1, 1, 1, 64).expand(32, 3, 64, 64)
    preprocessor = BatchCrops(mean=[0.0] * 3, std=[1.0] * 3, size=16, scale=(0.25, 0.25), ratio=1.0)
    found = preprocessor({'inputs': x}, training=True)['inputs'][:, 0, 0]
    steps = found.diff(dim=1).abs()
    assert torch.allclose(steps, torch.tensor(2.0), atol=1e-3)
    assert found.min() >= 0
    assert found.max() <= 63


def test_training_draws_a_size_for_each_batch():
    torch.manual_seed(0)
    preprocessor = crops(size=6, train_sizes=(4, 8))
    x = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    sides = [preprocessor({'inputs': x}, training=True)['inputs'].shape[-1] for _ in range(20)]
    assert set(sides) == {4, 8}
    assert preprocessor({'inputs': x})['inputs'].shape[-1] == 6


def test_logits_are_float32_under_autocast():
    head = Float32Head(num_classes=3, in_channels=4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert head((torch.rand(2, 4, dtype=torch.bfloat16),)).dtype == torch.float32


def test_a_batch_of_targets_has_the_loss_of_its_samples():
    torch.manual_seed(0)
    loss = dict(type='mmpretrain.CrossEntropyLoss', use_soft=True)
    head = Float32Head(num_classes=3, in_channels=4, loss=loss)
    x, targets = (torch.rand(2, 4),), torch.rand(2, 3).softmax(1)
    samples = [DataSample().set_gt_score(target) for target in targets]
    expected = -(targets * head(x).log_softmax(1)).sum(1).mean()
    assert torch.allclose(head.loss(x, targets)['loss'], expected)
    assert torch.allclose(head.loss(x, samples)['loss'], expected)


def test_the_optimizer_computes_in_bfloat16():
    from mmengine.registry import OPTIM_WRAPPERS

    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='Bfloat16OptimWrapper', optimizer=optimizer))
    with wrapper.optim_context(layer):
        assert layer(torch.rand(1, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize('missing', ['val.npy', 'val_labels.npy'])
def test_a_missing_array_is_named(tmp_path, missing):
    packed(tmp_path, 'val', 2, side=4)
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing):
        PackedImages(str(tmp_path), 'val')
