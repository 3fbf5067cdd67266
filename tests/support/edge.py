"""For the edge runner: files of constants, broken files, an environment of few packages."""

from __future__ import annotations

import json
import venv
from importlib.metadata import distribution

import numpy as np
import onnx
from onnx import TensorProto, helper
from packaging.requirements import Requirement

ABOUT = {'format': 2, 'classes': ['sky', 'sea'], 'palette': [[0, 0, 255], [255, 0, 0]], 'steps': []}
ABOUT |= {'max_iterations': [4], 'halting_threshold': 0.99, 'fixed': None}


def small_file(path, task, outputs, about=(), opset=20, inputs=('max_iterations',)):
    """A file that returns constants, whatever the image."""
    constants = {'iterations': np.array([[2]]), 'macs': np.float32(7), **outputs}
    nodes = [
        helper.make_node('Constant', [], [name], value=onnx.numpy_helper.from_array(np.asarray(value)))
        for name, value in constants.items()
    ]
    given = [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 3, 'height', 'width'])]
    given += [helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in inputs]
    returned = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), np.shape(value)
        )
        for name, value in constants.items()
    ]
    defaults = [onnx.numpy_helper.from_array(np.array([4]), name) for name in inputs]
    graph = helper.make_graph(nodes, 'constants', given, returned, defaults)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=10)
    if about is not None:
        helper.set_model_props(
            model, {'iterbackbone': json.dumps({**ABOUT, 'task': task, **dict(about)})}
        )
    path.write_bytes(model.SerializeToString())
    return path


def broken(tmp_path, name):
    if name == 'truncated':
        small_file(tmp_path / 'whole.onnx', 'features', {'features_0': np.zeros((9, 99))})
        (tmp_path / 'm.onnx').write_bytes((tmp_path / 'whole.onnx').read_bytes()[:500])
    elif name == 'text':
        (tmp_path / 'm.onnx').write_text('hello')
    elif name == 'undescribed':
        small_file(tmp_path / 'm.onnx', 'features', {}, about=None)
    elif name == 'newer opset':
        small_file(tmp_path / 'm.onnx', 'features', {}, opset=99)
    elif name == 'newer format':
        small_file(tmp_path / 'm.onnx', 'features', {}, {'format': 3})
    elif name == 'fixed':
        small_file(tmp_path / 'm.onnx', 'features', {}, {'fixed': 3})
    elif name == 'good':
        small_file(tmp_path / 'm.onnx', 'features', {})
    return str(tmp_path / 'm.onnx')


def environment_of(packages, folder):
    """The interpreter of a new environment with these packages, what they require, and no others.

    They are linked from the environment of the tests, so that nothing is downloaded.
    """
    venv.create(folder, symlinks=True)
    (site,) = folder.glob('lib/python*/site-packages')
    waiting, linked = list(packages), set()
    while waiting:
        package = distribution(waiting.pop())
        for name in {file.parts[0] for file in package.files} - {'..'} - linked:
            (site / name).symlink_to(package.locate_file(name))
            linked.add(name)
        required = map(Requirement, package.requires or [])
        waiting += [r.name for r in required if not r.marker or r.marker.evaluate({'extra': ''})]
    return folder / 'bin' / 'python'
