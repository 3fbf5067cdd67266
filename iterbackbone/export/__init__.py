"""The export form: a trained network as graphs can hold it, the adaptive loop included.

A block is one ``torch.while_loop``, which ONNX knows as ``Loop``, or, for runtimes without loops, a
fixed number of iterations one after the other.
"""

from .form import ExportForm, ExportOutputs

__all__ = ['ExportForm', 'ExportOutputs']
