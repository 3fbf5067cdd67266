"""COCO files as found in the wild, and broken ones."""

from __future__ import annotations

import pytest

from tests.support.own_data import coco_file, found, picture

SIZE, BOX = (40, 30), (2, 3, 10, 12)


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / 'images/a.jpg')
    picture(tmp_path / 'images/b.jpg')
    return tmp_path


def read(folder, images=None, annotations=()):
    images = images or [(1, 'a.jpg', SIZE), (2, 'b.jpg', SIZE)]
    coco_file(folder / 'annotations/all.json', images, [(1, 1, BOX), (2, 0, BOX), *annotations])
    dataset, wrong = found(folder)
    return {p.file.name: [b.name for b in p.boxes] for p in dataset.pictures}, wrong


def test_nothing_is_wrong(folder):
    assert read(folder) == ({'a.jpg': ['star'], 'b.jpg': ['ring']}, {})


def test_pictures_beside_each_file_have_its_split(tmp_path):
    for number, split in enumerate(('train', 'valid', 'test')):
        picture(tmp_path / split / 'same.jpg', (40 + number, 30))
        file = tmp_path / split / '_annotations.coco.json'
        coco_file(file, [(1, 'same.jpg', (40 + number, 30))], [(1, number % 2, BOX)])
    dataset, wrong = found(tmp_path)
    assert wrong == {}
    shown = sorted((p.split, p.size, p.file.parent.name) for p in dataset.pictures)
    assert shown == [
        ('test', (42, 30), 'test'),
        ('train', (40, 30), 'train'),
        ('val', (41, 30), 'valid'),
    ]


def test_captions_of_the_same_images_do_not_count(folder):
    coco_file(folder / 'annotations/person_keypoints_train.json', [(1, 'a.jpg', SIZE)], [(1, 1, BOX)])
    coco_file(folder / 'annotations/instances_train.json', [(1, 'a.jpg', SIZE)], [(1, 0, BOX)])
    dataset, wrong = found(folder)
    assert [box.name for p in dataset.pictures for box in p.boxes] == ['ring']
    assert wrong == {'class without a box or picture, left out': ['star']}


def test_crowds_are_ignored_boxes(folder):
    note = dict(id=9, image_id=1, category_id=0, bbox=BOX, iscrowd=1)
    coco_file(folder / 'x.json', [(1, 'a.jpg', None)], [(1, 1, BOX), note])
    dataset, _ = found(folder)
    assert [(b.name, b.ignored) for b in dataset.pictures[0].boxes] == [('star', False), ('ring', True)]


@pytest.mark.parametrize(
    ('annotation', 'kind', 'case', 'boxes'),
    [
        ((1, 7, BOX), 'box of an unknown class, left out', 'a.jpg: category_id 7', ['star']),
        ((5, 0, BOX), 'annotations of no image, left out', 'all.json: 1 of image_id 5', ['star']),
        ((1, 0, (1, 2, 3)), 'broken JSON entry, left out', "all.json: {'id': 3", ['star']),
        ((1, 0, (1, 2, 3, 'x')), 'broken JSON entry, left out', "all.json: {'id': 3", ['star']),
        ('text', 'broken JSON entry, left out', 'all.json: text', ['star']),
        (([], 0, BOX), 'broken JSON entry, left out', "all.json: {'id': 3", ['star']),
        (
            dict(id=1, image_id=1, category_id=0, bbox=BOX),
            'annotation id twice, numbered anew',
            'all.json: 1',
            ['star', 'ring'],
        ),
    ],
)
def test_a_bad_annotation(annotation, kind, case, boxes, folder):
    pictures, wrong = read(folder, annotations=[annotation])
    assert pictures == {'a.jpg': boxes, 'b.jpg': ['ring']}
    assert wrong.keys() == {kind}
    (found_case,) = wrong[kind]
    assert found_case.startswith(case)


@pytest.mark.parametrize(
    ('image', 'kind'),
    [
        ((1, 'b.jpg', SIZE), 'image id twice, second left out'),
        ((3, 'a.jpg', SIZE), 'picture listed twice, second left out'),
        ((3, 'none.jpg', SIZE), 'picture missing, left out'),
        ((3, None, SIZE), 'broken JSON entry, left out'),
        ((3, 'b.jpg', ('x', 3)), 'broken JSON entry, left out'),
    ],
)
def test_a_bad_image(image, kind, folder):
    pictures, wrong = read(folder, [(1, 'a.jpg', SIZE), (2, 'b.jpg', SIZE), image])
    assert pictures == {'a.jpg': ['star'], 'b.jpg': ['ring']}
    assert {kind: len(cases) for kind, cases in wrong.items()} == {kind: 1}


def test_a_broken_file(folder):
    (folder / 'broken.json').write_text('{"images": [')
    (folder / 'other.json').write_text('[1, 2]')
    pictures, wrong = read(folder)
    assert pictures == {'a.jpg': ['star'], 'b.jpg': ['ring']}
    assert wrong.keys() == {'broken JSON file, left out'}


def test_json_nested_too_deeply_is_left_out(folder):
    (folder / 'deep.json').write_text('[' * 100_000)
    _, wrong = read(folder)
    assert list(wrong) == ['broken JSON file, left out']


def test_pictures_named_by_paths_of_another_machine(folder):
    images = [(1, '/home/someone/images/a.jpg', SIZE), (2, '/b.jpg', SIZE)]
    assert read(folder, images) == ({'a.jpg': ['star'], 'b.jpg': ['ring']}, {})
