"""The runner's pictures: boxes, label maps and captions, on files of their own."""

from __future__ import annotations

import numpy as np
import run_onnx
from PIL import Image

from tests.support.edge import broken, small_file


def test_boxes_are_drawn_on_the_image_as_it_was(tmp_path, capsys):
    outputs = {
        'boxes': np.float32([[2, 4, 10, 12], [0, 0, 1, 1]]),
        'scores': np.float32([0.9, 0.1]),
        'labels': np.array([1, 0]),
    }
    steps = {'steps': [{'step': 'resize', 'scale': [16, 16], 'keep_ratio': False}]}
    path = small_file(tmp_path / 'boxes.onnx', 'detection', outputs, steps)
    Image.new('RGB', (64, 32)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    assert '1 boxes: sea 0.90' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert drawn.shape == (32, 64, 3)
    # x from 2 to 10 of 16 is 8 to 40 of 64, y from 4 to 12 of 16 is 8 to 24 of 32
    assert drawn[23, 30].any()
    assert drawn[16, 9].any()
    assert not drawn[16, 30].any()
    assert not drawn[30, 60].any()


def test_masks_are_painted_inside_their_boxes(tmp_path, capsys):
    outputs = {
        'boxes': np.float32([[8, 16, 40, 56], [0, 0, 0, 9]]),
        'scores': np.float32([0.9, 0.8]),
        'labels': np.array([1, 0]),
        'masks': np.float32([[[0.9, 0.1], [0.9, 0.1]]] * 2),
        'roi_iterations': np.array([[1], [4]]),
    }
    path = small_file(tmp_path / 'masks.onnx', 'detection', outputs, {'mask_threshold': 0.5})
    Image.new('RGB', (64, 64)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    assert '2 boxes: sea 0.90, sky 0.80; 2 regions, mean 2.50' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png')).any(axis=2)
    assert drawn[32:52, 12:22].all()  # the left half
    assert not drawn[32:52, 28:36].any()
    assert not drawn[58:].any()


def test_label_maps_take_the_palette(tmp_path, capsys):
    labels = np.zeros((1, 8, 16), dtype=np.uint8)
    labels[:, :, 8:] = 1
    path = small_file(tmp_path / 'labels.onnx', 'segmentation', {'label_map': labels})
    Image.new('RGB', (64, 64)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    assert 'sea 50%' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert drawn[50, 10].tolist() == [0, 0, int(0.55 * 255)]
    assert drawn[50, 50].tolist() == [int(0.55 * 255), 0, 0]


def test_label_maps_without_a_palette_get_colours(tmp_path):
    """Or with one of 256, which numpy does not divide 8-bit labels by."""
    labels = np.arange(128, dtype=np.uint8).reshape(1, 8, 16)
    path = small_file(
        tmp_path / 'labels.onnx', 'segmentation', {'label_map': labels}, {'palette': None}
    )
    Image.new('RGB', (16, 8)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 2


def test_small_images_keep_their_pixels_beside_the_caption(tmp_path):
    scores = {'scores': np.float32([[0.25, 0.75]])}
    path = small_file(tmp_path / 'scores.onnx', 'classification', scores)
    Image.new('RGB', (32, 32), 'white').save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert (drawn[:32, :32] == 255).all()
    assert drawn[32:, :].any()
    assert not drawn[:, -1].any()  # the text ends before the picture does


def test_images_of_one_name_get_pictures_of_their_own(tmp_path):
    model = broken(tmp_path, 'good')
    for name, colour in (('b/a.png', 'red'), ('c/a.png', 'blue'), ('d/a-2.jpg', 'white')):
        (tmp_path / 'in' / name).parent.mkdir(parents=True)
        Image.new('RGB', (99, 30), colour).save(tmp_path / 'in' / name)
    assert run_onnx.main([model, str(tmp_path / 'in'), '--out', str(tmp_path / 'out')]) == 0
    corners = [np.asarray(Image.open(p))[29, 98].tolist() for p in (tmp_path / 'out').iterdir()]
    assert sorted(corners) == [[0, 0, 255], [255, 0, 0], [255, 255, 255]]


def test_pictures_never_replace_images(tmp_path, pictures, capsys):
    model = broken(tmp_path, 'good')
    before = {p.name: p.read_bytes() for p in pictures.iterdir()}
    assert run_onnx.main([model, str(pictures), '--out', str(pictures)]) == 2
    assert 'holds images that pictures could replace' in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in pictures.iterdir()} == before


def test_a_picture_that_cannot_be_written_ends_the_run(tmp_path, pictures, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(run_onnx, 'draw', full)
    model = broken(tmp_path, 'good')
    assert run_onnx.main([model, str(pictures), '--out', str(tmp_path / 'out')]) == 2
    assert 'cannot write' in capsys.readouterr().err
