"""The export form: a trained network as graphs can hold it, the adaptive loop included.

Convolutions are shared as ever; the norms of a block stand as stacked scales and shifts, (L, C), of
which each iteration takes its row. A block is one ``torch.while_loop``, which ONNX knows as ``Loop``,
or, for runtimes without loops, a fixed number of iterations one after the other.
"""

from .form import ExportForm, ExportOutputs

__all__ = ['ExportForm', 'ExportOutputs']
