"""Synthetic scenes of textured shapes, the default data of the quickstarts."""

from .scene import CLASSES, ShapesSpec, image_rng, make_scene

__all__ = ['CLASSES', 'ShapesSpec', 'image_rng', 'make_scene']
