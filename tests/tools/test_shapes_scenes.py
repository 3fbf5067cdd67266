"""Scenes of the embedded data: shapes, numbers, sizes, occlusion, contrast."""

import cv2
import numpy as np
import pytest
from shapes import CLASSES, ShapesSpec, image_rng, make_scene, render, scene
from shapes.geometry import Shape, cover


@pytest.mark.parametrize(
    ('name', 'area'),
    [
        ('circle', np.pi),
        ('square', 2.0),
        ('triangle', 3 * np.sqrt(3) / 4),
        ('star', 10 * 0.5 * 0.44 * np.sin(np.pi / 5)),
        ('ring', np.pi * (1 - 0.6**2)),
        ('cross', 4 * 0.28 * (2 * np.sqrt(1 - 0.28**2) - 0.28)),
    ],
)
def test_a_shape_covers_its_area_at_its_place(name, area):
    patch = cover(Shape(name, (50.3, -20.6), 30.0, 0.9, 0.4, 0.5))
    expected = area * 30 * 30 * 0.9
    assert patch.alpha.sum() == pytest.approx(expected, rel=0.03)
    assert patch.mask.sum() == pytest.approx(expected, rel=0.03)
    rows, columns = np.mgrid[: patch.alpha.shape[0], : patch.alpha.shape[1]]
    middle = [(patch.alpha * grid).sum() / patch.alpha.sum() + 0.5 for grid in (columns, rows)]
    assert middle == pytest.approx([50.3 - patch.left, -20.6 - patch.top], abs=0.1)


def test_what_is_hidden_is_marked():
    behind = Shape('square', (20.0, 20.0), 14.0, 1.0, np.pi / 4, 0.5)
    drawn, visible = scene.Scene([], [], np.zeros((64, 64), np.uint8)), []
    front = Shape('square', (25.0, 20.0), 14.0, 1.0, np.pi / 4, 0.5)  # leaves 5 of some 20 columns
    cut = Shape('circle', (64.0, 50.0), 9.0, 1.0, 0.0, 0.5)
    assert scene._try_place(drawn, visible, behind, 0.2)
    assert not scene._try_place(drawn, visible, front, 0.5)
    assert scene._try_place(drawn, visible, front, 0.2)
    assert scene._try_place(drawn, visible, cut, 0.2)
    first, second, third = drawn.annotations()
    assert (first.truncated, first.difficult) == (True, True)
    assert (second.truncated, second.difficult, second.visible) == (False, False, 1.0)
    assert (third.truncated, third.difficult, third.box[2]) == (True, False, 63)
    assert first.visible == pytest.approx(5 / 20, abs=0.03)
    assert first.box[2] - first.box[0] + 1 == 5


def test_numbers_and_sizes_keep_to_the_arguments():
    spec = ShapesSpec(objects=(2, 12), object_size=(0.1, 0.3), difficult=0.3)
    scenes = [make_scene(image_rng(1, 'train', index), spec) for index in range(80)]
    counts = np.array([len(s.shapes) for s in scenes])
    assert set(counts) == set(range(2, 13))
    assert (counts <= 4).mean() > 0.3  # few objects are common
    diameters = [2 * shape.radius for s in scenes for shape in s.shapes]
    assert 0.1 * 192 - 1e-6 <= min(diameters) < 0.12 * 192
    assert 0.27 * 192 < max(diameters) <= 0.3 * 192 + 1e-6
    notes = [s.annotations() for s in scenes]
    assert all(any(not note.difficult for note in image) for image in notes)
    flags = [note.difficult for image in notes for note in image]
    assert 0.2 < np.mean(flags) < 0.35
    names = [note.name for image in notes for note in image]
    assert min(names.count(name) for name in CLASSES) > 0.5 * len(names) / len(CLASSES)


def test_default_scenes_are_easy_and_hard():
    scenes = [make_scene(image_rng(0, 'train', index), ShapesSpec()) for index in range(250)]
    counts = np.array([len(s.shapes) for s in scenes])
    assert set(counts) == set(range(1, 21))
    means = np.array([np.mean([2 * shape.radius for shape in s.shapes]) for s in scenes])
    assert means[counts == 1].min() < 30  # single small objects
    assert means[counts == 1].max() > 80
    assert means[counts >= 10].max() > 40  # many of medium size
    assert means[counts <= 3].mean() > 1.5 * means[counts >= 10].mean()


def test_as_many_as_allowed_find_room():
    spec = ShapesSpec(size=(64, 64), objects=(14, 14), object_size=(0.1875, 0.9))
    for index in range(10):
        assert make_scene(image_rng(0, 'val', index), spec).ids.max() == 14


def mean_contrast(spec, index):
    rng = image_rng(2, 'train', index)
    drawn = make_scene(rng, spec)
    image = render.render(rng, drawn, spec)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    inside = (drawn.ids == 1).astype(np.uint8)
    ring = cv2.dilate(inside, np.ones((9, 9))) > cv2.dilate(inside, np.ones((3, 3)))
    return np.linalg.norm(lab[inside > 0] - lab[ring].mean(axis=0), axis=1).mean()


def test_objects_stand_out_and_faint_ones_little(monkeypatch):
    spec, choose = ShapesSpec(objects=(1, 1), clutter=0), render.choose_colours
    clear = [mean_contrast(spec, index) for index in range(20)]
    monkeypatch.setattr(render, 'choose_colours', lambda rng, around, _: choose(rng, around, True))
    faint = [mean_contrast(spec, index) for index in range(20)]
    assert min(clear) > 20
    assert np.median(faint) < 0.5 * np.median(clear)


def test_clutter_is_proportional():
    plain = np.full((192, 256, 3), 128, np.float32)
    share = {}
    for clutter in (0.0, 0.3, 0.9):
        painted = [render.add_clutter(np.random.default_rng(i), plain, clutter) for i in range(40)]
        share[clutter] = np.mean([(p != plain).any(axis=-1).mean() for p in painted])
    assert share[0.0] == 0
    assert 2 < share[0.9] / share[0.3] < 4
