"""Comparisons of a file with PyTorch: what counts as the same, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from iterbackbone.export.onnx.parity import Comparison, Parity, agreement, compare
from iterbackbone.export.onnx.runtime import open_session, run, settings
from tests.support.edge import small_file


def doubling():
    """A file that returns 2 * image, iterations 3 and macs 7."""
    graph = helper.make_graph(
        [
            helper.make_node('Add', ['image', 'image'], ['scores']),
            helper.make_node('Constant', [], ['iterations'], value_ints=[3]),
            helper.make_node('Constant', [], ['macs'], value_int=7),
        ],
        'doubling',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [2])],
        [
            helper.make_tensor_value_info('scores', TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info('iterations', TensorProto.INT64, [1]),
            helper.make_tensor_value_info('macs', TensorProto.INT64, []),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10)
    return open_session(model.SerializeToString())


@pytest.mark.parametrize(
    ('scores', 'iterations', 'macs', 'margin', 'error', 'agrees'),
    [
        ([2.0, 4.0], 3, 7, 1.0, 0.0, True),
        ([2.0, 4.002], 3, 7, 1.0, 5e-4, True),
        ([2.0, 4.02], 3, 7, 1.0, 5e-3, False),
        ([2.0, 4.0], 2, 7, 1.0, 0.0, False),
        ([2.0, 4.0], 3, 8, 1.0, 0.0, False),
        ([9.0, 4.0], 2, 6, 5e-5, 7 / 9, True),  # rounding decided otherwise
    ],
)
def test_one_image(scores, iterations, macs, margin, error, agrees):
    def reference(image):
        values = {'scores': np.float32(scores), 'iterations': np.array([iterations])}
        values['macs'] = np.float32(macs)
        return values, margin

    parity = compare(doubling(), reference, [{'image': np.float32([1, 2])}])
    assert parity.comparisons[0].errors['scores'] == pytest.approx(error, abs=1e-6, rel=0.01)
    assert parity.comparisons[0].agrees is agrees


def test_a_runtime_that_fails_is_a_value_error():
    with pytest.raises(ValueError, match=r'the runtime cannot run an image of \(3,\): '):
        compare(doubling(), None, [{'image': np.float32([1, 2, 3])}])


def comparison(**errors):
    """With the same iterations."""
    return Comparison(errors, True, 1.0, np.array([[0]]))


def test_many_images_need_the_same_iterations_in_nearly_all():
    same, other = comparison(scores=0.0), Comparison({'scores': 0.5}, False, 1e-6, np.array([[1]]))
    assert Parity([same] * 199 + [other]).agrees
    assert not Parity([same] * 198 + [other] * 2).agrees
    assert Parity([same, other]).worst() == {'scores': 0.0}


def test_other_shapes_and_label_maps():
    assert not comparison(boxes=float('inf')).agrees
    assert comparison(label_map=9e-4).agrees
    assert not comparison(label_map=2e-3).agrees


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match='images must be at least one'):
        compare(doubling(), lambda image: ({}, 1.0), [])


def test_a_fixed_file_has_one_setting():
    image = np.zeros(2, dtype=np.float32)
    assert list(settings(doubling(), image, (3, 4))) == ['fixed']


def test_files_that_find_other_numbers_of_boxes(tmp_path):
    """The box that only one has is left out: the last one, of five in both together."""
    boxes, labels, image = np.float32(LEFT[:3]), [0, 1, 2], np.zeros((1, 3, 8, 8), np.uint8)
    old, fewer, none = (
        str(
            small_file(
                tmp_path / f'{n}.onnx', 'detection', detections(boxes[:n], [0.5] * n, labels[:n])
            )
        )
        for n in (3, 2, 0)
    )
    expected = dict(boxes=0.0, scores=0.0, labels=0.0, macs=0.0, unpaired=pytest.approx(0.2))
    assert agreement(old, fewer, [image]).mean() == expected
    nothing = agreement(old, none, [image]).mean()
    assert (nothing['unpaired'], nothing['macs']) == (1.0, 0.0)
    assert all(np.isnan(nothing[name]) for name in ('boxes', 'scores', 'labels'))
    assert agreement(none, fewer, [image]).mean()['unpaired'] == 1.0
    assert agreement(none, none, [image] * 2).mean() == {**expected, 'unpaired': 0.0}


def test_other_best_classes_are_counted(tmp_path):
    files = []
    for name, scores in (('old', [0.7, 0.3]), ('new', [0.4, 0.6])):
        finds = {'scores': np.float32([[0.9, 0.1], scores])}
        files.append(str(small_file(tmp_path / f'{name}.onnx', 'classification', finds)))
    same = agreement(*files, [np.zeros((1, 3, 8, 8), np.uint8)])
    assert same.mean()['top1'] == 0.5
    assert same.apart.tolist() == [[0]]


def test_boxes_that_change_places(tmp_path):
    """Of near scores, and of two labels at one place."""
    boxes = [[0, 0, 9, 9], [0, 0, 9, 9], [50, 0, 90, 40]]
    files = []
    for name, order, scores in (('old', [0, 1, 2], [0.52, 0.51, 0.5]), ('new', [2, 1, 0], [0.52] * 3)):
        finds = {'boxes': np.float32(boxes)[order], 'scores': np.float32(scores)}
        finds['labels'] = np.int64([4, 0, 0])[order]
        files.append(str(small_file(tmp_path / f'{name}.onnx', 'detection', finds)))
    same = agreement(*files, [np.zeros((1, 3, 8, 8), np.uint8)])
    assert (same.mean()['boxes'], same.mean()['labels']) == (0.0, 0.0)
    assert same.mean()['scores'] == pytest.approx(0.03 / 1.53)


LEFT = [[10.0 * k, 0, 10 * k + 9, 9] for k in range(100)]


def detections(boxes, scores, labels):
    finds = {'boxes': np.float32(boxes).reshape(-1, 4), 'scores': np.float32(scores)}
    return {**finds, 'labels': np.int64(labels)}


@pytest.mark.parametrize(
    ('change', 'images', 'unpaired', 'agrees'),
    [
        ({}, 1, 0.0, True),
        ({'order': [1, 0, *range(2, 100)]}, 1, 0.0, True),  # near scores
        ({'box': 99}, 1, 0.01, False),  # another last one
        ({'box': 99}, 2, 0.01, True),
        ({'order': range(99)}, 2, 1 / 199, True),  # one fewer
        ({'label': 3}, 2, 0.01, True),
        ({'score': 3}, 2, 0.0, False),
        ({'order': []}, 2, 1.0, False),
    ],
)
def test_boxes_that_rounding_left_out(tmp_path, change, images, unpaired, agrees):
    boxes, scores, labels = np.float32(LEFT), np.linspace(0.9, 0.1, 100), np.arange(100) % 3
    wanted = [detections(boxes, scores, labels)] * images
    boxes, scores, labels = boxes.copy(), scores.copy(), labels.copy()
    if 'box' in change:
        boxes[change['box']] += 400
    if 'label' in change:
        labels[change['label']] += 1
    if 'score' in change:
        scores[change['score']] += 0.01
    order = list(change.get('order', range(100)))
    one = detections(boxes[order], scores[order], labels[order])
    found = [one, *wanted[1:]]
    comparisons = []
    for k in range(images):
        session = open_session(str(small_file(tmp_path / f'{k}.onnx', 'detection', found[k])))
        names = [output.name for output in session.get_outputs()]
        image = np.zeros((1, 3, 8, 8), np.uint8)
        rest = dict(zip(names, session.run(None, {'image': image}), strict=True))
        parity = compare(
            session, lambda _, k=k, rest=rest: ({**rest, **wanted[k]}, 1.0), [{'image': image}]
        )
        comparisons += parity.comparisons
    parity = Parity(comparisons)
    assert parity.worst()['unpaired'] == pytest.approx(unpaired)
    assert parity.agrees is agrees


def test_boxes_between_others_that_only_one_has_stay_pairs(tmp_path):
    files = []
    for name, left in (('old', [50.0, 90.0]), ('new', [10.0, 50.001])):
        boxes = [[x, 0, x + 9, 9] for x in left]
        finds = detections(boxes, [0.5, 0.4], [0, 0])
        files.append(str(small_file(tmp_path / f'{name}.onnx', 'detection', finds)))
    session, image = open_session(files[1]), np.zeros((1, 3, 8, 8), np.uint8)
    reference = open_session(files[0])
    parity = compare(session, lambda _: (run(reference, {'image': image}), 1.0), [{'image': image}])
    assert parity.worst()['unpaired'] == pytest.approx(0.5)


def test_a_box_of_nan_has_no_counterpart(tmp_path):
    finds = detections([[0, 0, 9, 9], [np.nan, 0, 9, 9]], [0.5, 0.4], [0, 0])
    file = str(small_file(tmp_path / 'a.onnx', 'detection', finds))
    session, image = open_session(file), np.zeros((1, 3, 8, 8), np.uint8)
    parity = compare(session, lambda _: (run(session, {'image': image}), 1.0), [{'image': image}])
    assert parity.worst()['unpaired'] == 0.5


def test_no_boxes_are_the_same(tmp_path):
    nothing = detections(np.zeros((0, 4)), [], [])
    session = open_session(str(small_file(tmp_path / 'none.onnx', 'detection', nothing)))
    image = np.zeros((1, 3, 8, 8), np.uint8)
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(None, {'image': image}), strict=True))
    parity = compare(session, lambda _: (values, 1.0), [{'image': image}])
    assert (parity.worst()['unpaired'], parity.agrees) == (0.0, True)


def test_labels_are_no_magnitudes(tmp_path):
    """One label of two is another one, however far its number."""
    files = []
    for name, label in (('old', 1), ('new', 70)):
        finds = {'boxes': np.float32([[0, 0, 9, 9], [50, 0, 90, 40]]), 'labels': np.int64([3, label])}
        files.append(str(small_file(tmp_path / f'{name}.onnx', 'detection', finds)))
    same = agreement(*files, [np.zeros((1, 3, 8, 8), np.uint8)])
    assert same.mean() == {'boxes': 0.0, 'labels': 0.5, 'macs': 0.0, 'unpaired': 0.0}
