"""Files of the embedded data, and what mmdet and mmseg read from them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
from shapes import CLASSES, ShapesSpec, image_rng, make_scene, write_voc

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
SPEC = ShapesSpec(num_train=6, num_val=3)


def read_xml(path):
    """(name, box from 1, truncated, difficult) of every object."""
    return [
        (
            item.findtext('name'),
            tuple(int(item.findtext(f'bndbox/{key}')) for key in CORNERS),
            item.findtext('truncated') == '1',
            item.findtext('difficult') == '1',
        )
        for item in ET.parse(path).iter('object')
    ]


def images(root):
    """(split, index, id, objects, class map) of every image of the small set."""
    for split, folder in (('train', 'training'), ('val', 'validation')):
        ids = (root / f'VOCdevkit/VOC2007/ImageSets/Main/{split}.txt').read_text().split()
        for index, name in enumerate(ids):
            objects = read_xml(root / f'VOCdevkit/VOC2007/Annotations/{name}.xml')
            mask = cv2.imread(
                str(root / f'ADEChallengeData2016/annotations/{folder}/{name}.png'),
                cv2.IMREAD_UNCHANGED,
            )
            yield split, index, name, objects, mask


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('shapes') / 'set'
    write_voc.write_set(root, SPEC)
    return root


def test_layout(made):
    voc, ade = made / 'VOCdevkit/VOC2007', made / 'ADEChallengeData2016'
    train = [f'{i:06d}' for i in range(1, 7)]
    val = [f'{i:06d}' for i in range(500_001, 500_004)]
    for name, ids in {'train': train, 'trainval': train, 'val': val, 'test': val}.items():
        assert (voc / f'ImageSets/Main/{name}.txt').read_text().split() == ids
    assert sorted(p.stem for p in voc.glob('JPEGImages/*.jpg')) == train + val
    assert sorted(p.stem for p in voc.glob('Annotations/*.xml')) == train + val
    for folder, ids in {'training': train, 'validation': val}.items():
        assert sorted(p.name for p in (ade / 'images' / folder).iterdir()) == [f'{i}.jpg' for i in ids]
        assert sorted(p.name for p in (ade / 'annotations' / folder).iterdir()) == [
            f'{i}.png' for i in ids
        ]
    image = ade / f'images/training/{train[0]}.jpg'
    assert image.read_bytes() == (voc / f'JPEGImages/{train[0]}.jpg').read_bytes()
    assert cv2.imread(str(image)).shape == (192, 256, 3)
    (made.parent / 'plain').mkdir()
    assert made.stat().st_mode == (made.parent / 'plain').stat().st_mode
    (made.parent / 'plain').rmdir()
    assert [p.name for p in made.parent.iterdir()] == ['set']  # nothing temporary is left
    assert CLASSES == ('circle', 'square', 'triangle', 'star', 'ring', 'cross')


def test_xml_says_what_voc2007_says(made):
    root = ET.parse(made / 'VOCdevkit/VOC2007/Annotations/000001.xml').getroot()
    assert [child.tag for child in root][:4] == ['folder', 'filename', 'size', 'segmented']
    assert [root.findtext(tag) for tag in ('folder', 'filename', 'segmented')] == [
        'VOC2007',
        '000001.jpg',
        '1',
    ]
    assert [(c.tag, c.text) for c in root.find('size')] == [
        ('width', '256'),
        ('height', '192'),
        ('depth', '3'),
    ]
    item = root.find('object')
    assert [c.tag for c in item] == ['name', 'pose', 'truncated', 'difficult', 'bndbox']
    assert item.findtext('pose') == 'Unspecified'
    assert tuple(c.tag for c in item.find('bndbox')) == CORNERS


def test_boxes_and_masks_agree_with_the_visible_pixels(made):
    for split, index, _, objects, mask in images(made):
        drawn = make_scene(image_rng(0, split, index), SPEC)
        assert mask.dtype == np.uint8
        assert mask.shape == (192, 256)
        assert 1 <= len(objects) <= 20
        assert len(objects) == drawn.ids.max()
        for number, (name, (x0, y0, x1, y1), truncated, difficult) in enumerate(objects, 1):
            visible = drawn.ids == number
            assert np.flatnonzero(visible.any(axis=0))[[0, -1]].tolist() == [x0 - 1, x1 - 1]
            assert np.flatnonzero(visible.any(axis=1))[[0, -1]].tolist() == [y0 - 1, y1 - 1]
            assert (mask[visible] == CLASSES.index(name) + 1).all()
            full = (drawn.patches[number - 1].alpha >= 0.5).sum()
            assert truncated == (visible.sum() < full)
            little = visible.sum() < 0.35 * full or visible.sum() < 30
            assert difficult == (little or drawn.shapes[number - 1].faint)
        assert ((mask == 0) == (drawn.ids == 0)).all()


def test_crops(made):
    crops = list((made / 'classification').rglob('*.png'))
    assert crops
    objects = {name: items for _, _, name, items, _ in images(made)}
    for path in crops:
        image_id, number = path.stem.split('_')
        name, _, _, difficult = objects[image_id][int(number) - 1]
        assert path.parent.name == name
        assert path.parent.parent.name == ('val' if image_id > '500000' else 'train')
        assert not difficult
        assert cv2.imread(str(path)).shape == (32, 32, 3)
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:40, 30:50] = 255  # the crop is 1.2 times as wide as the box
    bright = np.flatnonzero(write_voc.crop(image, (30, 20, 49, 39))[16, :, 0] > 127)
    assert (bright[0], 31 - bright[-1]) == (3, 3)  # 32 * (1 - 1 / 1.2) / 2 = 2.7


def test_links_fall_back_to_copies(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError('no links here')

    monkeypatch.setattr(write_voc.os, 'link', no_links)
    (tmp_path / 'a').write_text('text')
    write_voc.link_or_copy(tmp_path / 'a', tmp_path / 'deep/b')
    assert (tmp_path / 'deep/b').read_text() == 'text'


def test_mmdet_reads_it(made):
    pytest.importorskip('mmdet')
    from mmdet.datasets import VOCDataset

    for split, count in (('trainval', 6), ('test', 3)):
        data = VOCDataset(
            data_root=f'{made}/VOCdevkit/',
            ann_file=f'VOC2007/ImageSets/Main/{split}.txt',
            data_prefix={'sub_data_root': 'VOC2007/'},
            metainfo={'classes': CLASSES},
            filter_cfg={'filter_empty_gt': True, 'min_size': 32},
        )
        assert len(data) == count
        for index in range(count):
            info = data.get_data_info(index)
            expected = read_xml(info['xml_path'])
            assert Path(info['img_path']).is_file()
            assert (info['width'], info['height']) == (256, 192)
            assert [CLASSES[i['bbox_label']] for i in info['instances']] == [e[0] for e in expected]
            boxes = [[value - 1 for value in e[1]] for e in expected]
            assert [i['bbox'] for i in info['instances']] == boxes
            assert [i['ignore_flag'] for i in info['instances']] == [int(e[3]) for e in expected]


def test_mmseg_reads_it(made):
    pytest.importorskip('mmseg')
    from mmseg.datasets import ADE20KDataset, BaseSegDataset
    from mmseg.datasets.transforms import LoadAnnotations

    masks = [mask for split, *_, mask in images(made) if split == 'train']
    where = {
        'data_root': f'{made}/ADEChallengeData2016',
        'data_prefix': {'img_path': 'images/training', 'seg_map_path': 'annotations/training'},
    }
    stock = ADE20KDataset(**where)  # zero is ignored
    own = BaseSegDataset(**where, metainfo={'classes': ('background', *CLASSES)})
    assert len(stock) == len(own) == len(masks) == 6
    for data, to_label in ((stock, lambda m: m - np.uint8(1)), (own, lambda m: m)):
        for index, mask in enumerate(masks):
            loaded = LoadAnnotations()(data.prepare_data(index))['gt_seg_map']
            assert (loaded == to_label(mask)).all()
            assert set(np.unique(loaded)) <= {*range(len(CLASSES) + 1), 255}
