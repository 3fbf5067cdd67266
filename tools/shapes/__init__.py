"""Synthetic scenes of textured shapes, the default data of the quickstarts."""

from .scene import Annotation, Scene, image_rng, make_scene
from .spec import CLASSES, SPLITS, VERSION, ShapesSpec

__all__ = [
    'CLASSES',
    'SPLITS',
    'VERSION',
    'Annotation',
    'Scene',
    'ShapesSpec',
    'image_rng',
    'make_scene',
]
