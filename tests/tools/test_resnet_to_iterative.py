"""The tool from a checkpoint to a backbone that starts from it."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import resnet_to_iterative as tool
import torch
from PIL import Image

from iterbackbone.mm import IterativeResNet
from iterbackbone.warm_start.conversion import convert
from iterbackbone.warm_start.layouts import read_resnet
from tests.support.resnets import RunsCode, narrow_resnet

NARROW = dict(stem='cifar', base_channels=4, depth=50)


def run(*args):
    """In this process: starting Python and torch takes longer than the tool."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            tool.main([*map(str, args)])
        except SystemExit as error:
            code = error.code
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


@pytest.fixture
def checkpoint(tmp_path):
    """As mmpretrain's runner saves it, and the network."""
    net = narrow_resnet(cifar=True)
    state = {'backbone.' + key: value for key, value in net.state_dict().items()}
    state['head.fc.weight'] = torch.zeros(2, 64)
    path = tmp_path / 'resnet.pth'
    torch.save({'meta': {'epoch': np.float64(3)}, 'state_dict': state}, path)
    return path


@pytest.fixture
def images(tmp_path):
    """12 noise images in two folders."""
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 40, 3), dtype=np.uint8)
        path = tmp_path / 'images' / 'ab'[i % 2] / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / 'images'


def loaded(path):
    init_cfg = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
    net = IterativeResNet(**NARROW, init_cfg=init_cfg)
    net.init_weights()
    return net.state_dict()


def test_no_control_sequence_of_a_key_is_printed(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=False)
    content['state_dict']['head.\x1b[2J\nbias'] = torch.zeros(1)
    torch.save(content, checkpoint)
    done = run(checkpoint, '--out', tmp_path / 'out.pth')
    assert ['head.?[2J', 'bias', 'dropped'] in [line.split() for line in done.stdout.splitlines()]


def test_a_full_disk_is_said_in_one_line(checkpoint, tmp_path):
    (tmp_path / 'out.pth').write_text('good')
    (tmp_path / 'out.pth.part').symlink_to('/dev/full')
    done = run(checkpoint, '--out', tmp_path / 'out.pth')
    assert done.returncode == 2
    assert 'error: argument --out: [Errno 28] No space left on device' in done.stderr
    assert (tmp_path / 'out.pth').read_text() == 'good'
    assert not (tmp_path / 'out.pth.part').is_symlink()


def test_from_checkpoint_to_backbone(checkpoint, tmp_path):
    out = tmp_path / 'out.pth'
    done = run(checkpoint, '--depth', 50, '--out', out, '--method', 'mean')
    assert done.returncode == 0, done.stderr
    resnet = read_resnet(torch.load(checkpoint, weights_only=False))
    expected, got = convert(resnet, 'mean').network.state_dict(), loaded(out)
    for key in expected:  # fc1 of the halting units is random
        assert 'fc1' in key or torch.equal(got[key], expected[key]), key
    assert torch.load(out)['meta']['method'] == 'mean'
    lines = done.stdout.splitlines()
    words = [line.split() for line in lines]
    assert ['backbone.conv1.weight', 'used', 'stem.conv.weight'] in words
    assert ['head.fc.weight', 'dropped'] in words
    kernel = 'stages.1.blocks.0.conv3.weight'
    assert ['backbone.layer2.3.conv3.weight', 'averaged', kernel] in words
    # 53 convolutions and norms of 5 tensors, head: 12 blocks x 3 averaged, 4 x 3 and the head dropped.
    assert '319 keys of the checkpoint: 270 used, 13 dropped, 36 averaged' in lines
    assert '16 keys of the IterativeResNet stay as initialised:' in lines
    assert lines[-1].endswith('base_channels=4, expansion=4, max_iterations=(3, 4, 6, 3))')


def test_recalibration_on_images(checkpoint, images, tmp_path):
    out = tmp_path / 'out.pth'
    options = ('--recalibrate', '--images', images)
    done = run(checkpoint, '--out', out, *options, '--num-images', 8)
    assert done.returncode == 0, done.stderr
    state = loaded(out)
    assert state['stem.norm.num_batches_tracked'] == 1  # one batch of 8
    assert all(v.isfinite().all() for v in state.values())


def test_a_broken_image_is_named(checkpoint, images, tmp_path):
    broken = images / 'a/0.png'
    content = bytearray(broken.read_bytes())
    content[37:41] = b'\0\1\2\3'  # the name of the second chunk
    broken.write_bytes(content)
    done = run(checkpoint, '--out', tmp_path / 'out.pth', '--recalibrate', '--images', images)
    assert done.returncode == 2
    assert f'--images: {broken} cannot be read (' in done.stderr


@pytest.mark.parametrize(('kind', 'value'), [(np.uint8, 100), (np.uint16, 100 * 256 + 7)])
def test_the_same_image_normalised_by_hand(kind, value, tmp_path):
    """One grey image of the crop's size: mean and variance of the stem's convolution follow."""
    net = narrow_resnet(cifar=True)
    torch.save(net.state_dict(), tmp_path / 'a.pth')
    Image.fromarray(np.full((32, 32), value, kind)).save(tmp_path / 'a.png')
    options = ('--recalibrate', '--images', tmp_path, '--mean', 90, 80, 100, '--std', 10, 5, 2)
    done = run(tmp_path / 'a.pth', '--out', tmp_path / 'out.pth', *options)
    assert done.returncode == 0, done.stderr
    image = torch.tensor([1.0, 4.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    with torch.no_grad():
        mean = net.conv1(image).mean(dim=(0, 2, 3))
    torch.testing.assert_close(loaded(tmp_path / 'out.pth')['stem.norm.running_mean'], mean)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--depth', '152'], r'depth 152 .* (3, 4, 6, 3) blocks'),
        (['--depth', '18'], 'argument --depth: invalid choice'),
        (['--method', 'least-squares'], 'argument --method: invalid choice'),
        (['--recalibrate'], '--images is needed'),
        (['--images', '.'], '--images is read for'),
        (['--recalibrate', '--images', 'nowhere'], 'nowhere has no image'),
        (['--num-images', '0'], 'must be at least 1, got 0'),
        (['--std', '1', '0', '1'], 'argument --std: must be above 0, got [1.0, 0.0, 1.0]'),
    ],
)
def test_bad_options_are_refused(checkpoint, tmp_path, options, message):
    out = tmp_path / 'out.pth'
    done = run(checkpoint, '--out', out, *options)
    assert done.returncode == 2
    for part in message.split('.*'):
        assert part.strip() in done.stderr
    assert not out.exists()


def test_the_checkpoint_is_not_replaced(checkpoint):
    before = checkpoint.read_bytes()
    done = run(checkpoint, '--out', checkpoint)
    assert done.returncode == 2
    assert 'argument --out: must be another file than CHECKPOINT' in done.stderr
    assert checkpoint.read_bytes() == before


def test_a_missing_folder_and_a_missing_file(checkpoint, tmp_path):
    assert (
        'argument --out: must be a file in a folder'
        in run(checkpoint, '--out', tmp_path / 'a/b.pth').stderr
    )
    assert 'checkpoint must be a file' in run(tmp_path / 'no.pth', '--out', tmp_path / 'b.pth').stderr


def test_code_is_not_run(tmp_path):
    torch.save({'state_dict': {'a': RunsCode(tmp_path / 'ran')}}, tmp_path / 'evil.pth')
    done = run(tmp_path / 'evil.pth', '--out', tmp_path / 'out.pth')
    assert done.returncode == 2
    assert 'is refused' in done.stderr
    assert not (tmp_path / 'ran').exists()
    assert not (tmp_path / 'out.pth').exists()
