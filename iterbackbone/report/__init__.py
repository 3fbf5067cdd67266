"""Figures and a report from iteration logs: matplotlib, plotly, jinja2 and pillow, no OpenMMLab."""
