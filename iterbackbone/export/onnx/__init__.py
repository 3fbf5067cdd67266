"""ONNX files of adaptive networks; needs the extra ``export``."""

from ...environment import need

need('export', 'cv2', 'onnx', 'onnx_ir', 'onnxruntime', 'onnxscript')
