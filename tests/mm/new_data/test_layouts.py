"""The same data in every layout is the same; what is no layout is named."""

from __future__ import annotations

import pytest
from mmdet.datasets import XMLDataset

from tests.support.own_data import CLASSES, coco_file, found, picture, xml_file

SIZE = (40, 30)
LINKED = {'images': ['ring'], 'train': ['ring'], 'cat': ['cat', 'dog']}


def by_name(dataset, ignored):
    """Split and boxes of each picture, by its name."""
    return {
        p.file.name: (
            p.split,
            p.size,
            sorted((b.name, b.xywh) for b in p.boxes if b.ignored <= ignored),
        )
        for p in dataset.pictures
    }


def test_the_layouts_of_one_data_set_agree(shapes_root):
    voc, wrong = found(shapes_root / 'VOCdevkit/VOC2007')
    coco, wrong_coco = found(shapes_root / 'coco')
    yolo, wrong_yolo = found(shapes_root / 'yolo')
    assert wrong == wrong_coco == wrong_yolo == {}
    assert [d.layout for d in (voc, coco, yolo)] == ['VOC', 'COCO', 'YOLO']
    assert tuple(voc.classes) == CLASSES
    assert sorted(coco.classes) == sorted(yolo.classes) == [*CLASSES]
    assert len(voc.pictures) == 13
    assert by_name(voc, True) == by_name(coco, True)
    first, second = by_name(voc, False), by_name(yolo, False)
    assert first.keys() == second.keys()
    for name, (split, size, boxes) in first.items():
        assert second[name][:2] == (split, size)
        for (kind, xywh), (other, near) in zip(boxes, second[name][2], strict=True):
            assert kind == other
            assert near == pytest.approx(xywh, abs=0.02)


def test_boxes_of_voc_are_those_of_mmdet(shapes_root):
    root = shapes_root / 'VOCdevkit'
    theirs = XMLDataset(
        data_root=str(root),
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=CLASSES),
        pipeline=[],
    )
    dataset, _ = found(root)
    ours = by_name(dataset, True)
    for info in theirs:
        boxes = [(CLASSES[each['bbox_label']], *each['bbox']) for each in info['instances']]
        split, _, found_here = ours[info['img_path'].rpartition('/')[2]]
        assert split == 'train'
        assert sorted(boxes) == [(name, x, y, x + w, y + h) for name, (x, y, w, h) in found_here]


def test_class_folders(shapes_root):
    dataset, wrong = found(shapes_root / 'classification')
    assert (dataset.layout, dataset.task, wrong) == ('class folders', 'classification', {})
    assert set(dataset.classes) <= set(CLASSES)
    assert {p.split for p in dataset.pictures} == {'train', 'val'}
    assert all(p.file.parent.name == p.boxes[0].name for p in dataset.pictures)


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    for name in ('train/1.png', 'bus/1.png', 'stray.png'):
        picture(tmp_path / name)
    dataset, wrong = found(tmp_path)
    assert [(p.split, p.boxes[0].name) for p in dataset.pictures] == [('', 'bus'), ('', 'train')]
    assert wrong == {'picture outside of the class folders, left out': [str(tmp_path / 'stray.png')]}


@pytest.mark.parametrize(
    ('names', 'wanted', 'left'),
    [
        (
            [
                'seg_train/seg_train/sea/1.png',
                'seg_train/seg_train/wood/2.png',
                'seg_test/seg_test/sea/3.png',
                'seg_pred/seg_pred/4.png',
            ],
            [('test', 'sea'), ('train', 'sea'), ('train', 'wood')],
            1,
        ),
        (
            ['train/cat/1.png', 'train/dog/2.png', 'val/cat/3.png', 'samples/4.png'],
            [('train', 'cat'), ('train', 'dog'), ('val', 'cat')],
            1,
        ),
        (
            ['train/train/cat/1.png', 'train/train/dog/2.png', 'test/test/cat/3.png'],
            [('test', 'cat'), ('train', 'cat'), ('train', 'dog')],
            0,
        ),
        (
            ['train/train/day/1.png', 'train/car/day/2.png', 'val/train/day/3.png'],
            [('train', 'car'), ('train', 'train'), ('val', 'train')],
            0,
        ),
    ],
    ids=['and one of no split', 'and samples', 'repeated', 'a class like one'],
)
def test_folders_of_splits_are_no_classes(names, wanted, left, tmp_path):
    for name in names:
        picture(tmp_path / name)
    dataset, wrong = found(tmp_path)
    assert [(p.split, p.boxes[0].name) for p in dataset.pictures] == wanted
    assert len(wrong.get('picture outside of the class folders, left out', [])) == left


@pytest.mark.parametrize('names', [('images', 'masks'), ('img_dir', 'ann_dir')])
def test_masks_are_no_class(names, tmp_path):
    for name in names:
        picture(tmp_path / 'train' / name / '1.png')
    with pytest.raises(ValueError, match=r'no annotations or classes .* beside their masks or labels'):
        found(tmp_path)


@pytest.mark.parametrize('linked', ['images', 'train', 'cat'])
def test_linked_folders_are_read(linked, tmp_path):
    """Data often lies on another disk."""
    there, here = tmp_path / 'disk' / linked, tmp_path / 'mine'
    here.mkdir()
    (here / linked).symlink_to(there)
    picture(there / 'images/1.png')
    if linked == 'images':  # annotations may lie elsewhere
        coco_file(here / 'all.json', [(1, '1.png', SIZE)], [(1, 0, (2, 3, 10, 12))], ['ring'])
    elif linked == 'train':
        (there / 'labels').mkdir()
        (there / 'labels/1.txt').write_text('0 0.5 0.5 0.5 0.5')
        (there / 'classes.txt').write_text('ring')
    else:
        picture(here / 'dog/1.png')
    dataset, _ = found(here)
    assert (len(dataset.pictures), dataset.classes) == (1 + (linked == 'cat'), LINKED[linked])
    assert dataset.pictures[0].file == here / linked / 'images/1.png'


@pytest.mark.parametrize('layout', ['COCO', 'YOLO'])
def test_a_split_without_any_box_is_left_out(layout, tmp_path):
    """A test whose answers are not public would count as pictures without objects."""
    for split in ('train', 'test'):
        picture(tmp_path / split / f'images/{split}.png')
        notes = [(1, 0, (2, 3, 10, 12))] if split == 'train' else []
        if layout == 'COCO':
            coco_file(tmp_path / f'{split}.json', [(1, f'{split}.png', SIZE)], notes, ['ring'])
    if layout == 'YOLO':
        (tmp_path / 'train/labels').mkdir()
        (tmp_path / 'train/labels/train.txt').write_text('0 0.5 0.5 0.5 0.5')
        (tmp_path / 'classes.txt').write_text('ring')
    dataset, wrong = found(tmp_path)
    assert (dataset.layout, [p.file.name for p in dataset.pictures]) == (layout, ['train.png'])
    assert wrong == {'picture of a split without any box, left out': ['test.png']}


def test_the_task_chooses_between_layouts(tmp_path):
    for name in ('a', 'b'):
        picture(tmp_path / name / f'{name}.png')
        xml_file(tmp_path / name / f'{name}.xml', [('ring', (3, 3, 20, 20))])
    assert found(tmp_path)[0].layout == 'VOC'
    assert found(tmp_path, 'classification')[0].classes == ['a', 'b']


def test_what_is_no_layout_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'note.txt').write_text('text')
    with pytest.raises(ValueError, match=r'--data must be a folder, got .*note\.txt'):
        found(tmp_path / 'note.txt')
    with pytest.raises(ValueError, match=r'--data must be a folder, got .*none'):
        found(tmp_path / 'none')
    with pytest.raises(ValueError, match='--data must be a folder with pictures, found none in'):
        found(tmp_path / 'empty')
    picture(tmp_path / 'loose/1.png')  # in no folder
    with pytest.raises(ValueError, match=r'has 1 pictures, but no annotations or classes that can'):
        found(tmp_path / 'loose')
    (tmp_path / 'loose').rename(tmp_path / 'one')  # one class only, no annotations
    known = (
        r'known layout: COCO \(.*VOC \(.*YOLO \(.*class folders \(.*two classes or more.* has 1 pict'
    )
    with pytest.raises(ValueError, match=known):
        found(tmp_path)
    with pytest.raises(ValueError, match=r'known layout: COCO (?!.*class folders)'):
        found(tmp_path, 'detection')
    (tmp_path / 'one/1.xml').write_text('<annotation>')
    with pytest.raises(ValueError, match=r'can be read; 1  broken XML file, left out; 1.xml: '):
        found(tmp_path)


@pytest.mark.parametrize('layout', ['COCO', 'VOC', 'YOLO', 'class folders'])
def test_a_picture_whose_name_is_not_utf_8_is_left_out(layout, tmp_path):
    for number, name in enumerate(('good', 'b\udcff')):
        for kind in ('x', 'y'):
            picture(tmp_path / kind / f'{name}.png')
            if layout == 'VOC':
                xml_file(tmp_path / kind / f'{name}.xml', [('ring', (3, 3, 20, 20))])
            elif layout == 'YOLO':
                (tmp_path / kind / f'{name}.txt').write_text('0 0.5 0.5 0.5 0.5')
            elif layout == 'COCO':
                note = (number, 0, (2, 3, 10, 12))
                file = tmp_path / kind / f'{number}.json'
                coco_file(file, [(number, f'{name}.png', SIZE)], [note], ['ring'])
    if layout == 'YOLO':
        (tmp_path / 'classes.txt').write_text('ring')
    dataset, wrong = found(tmp_path)
    assert (dataset.layout, [p.file.name for p in dataset.pictures]) == (layout, ['good.png'] * 2)
    names = [ascii(str(tmp_path / kind / 'b\udcff.png')) for kind in ('x', 'y')]
    assert {kind: sorted(cases) for kind, cases in wrong.items()} == {
        'picture whose name is not UTF-8, left out': names
    }


def test_an_empty_class_folder_is_counted(tmp_path):
    for name in ('train/cat/1.jpg', 'train/dog/2.jpg', 'val/cat/3.jpg'):
        picture(tmp_path / name)
    for name in ('train/bird', 'val/bird', 'val/dog', 'train/.cache', '.git/hooks', 'docs/figures'):
        (tmp_path / name).mkdir(parents=True)
    dataset, wrong = found(tmp_path)
    assert dataset.classes == ['cat', 'dog']
    assert wrong == {'class folder without a picture, left out': ['bird']}


def test_folders_of_programs_are_no_classes(tmp_path):
    for name in ('cat/1.jpg', 'dog/2.jpg', '.ipynb_checkpoints/1.jpg', '__MACOSX/cat/1.jpg'):
        picture(tmp_path / name)
    dataset, wrong = found(tmp_path)
    assert (dataset.classes, wrong) == (['cat', 'dog'], {})
