"""ONNX files of adaptive networks; needs the extra ``export``."""
