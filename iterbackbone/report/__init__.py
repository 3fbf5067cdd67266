"""Figures and a report from iteration logs: matplotlib, plotly, jinja2 and pillow, no OpenMMLab."""

from ..environment import need

need('report', 'jinja2', 'matplotlib', 'PIL', 'plotly', 'tqdm')
