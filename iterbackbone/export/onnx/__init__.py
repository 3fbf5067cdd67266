"""ONNX files of adaptive networks; needs the extra ``export``."""

from ...extras import need

need('export', 'cv2', 'onnx', 'onnx_ir', 'onnxruntime', 'onnxscript')
