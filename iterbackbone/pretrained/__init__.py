"""Weights inside the package, and models from them in timm's words: torch and safetensors only."""

from .classifier import IterativeClassifier
from .index import SCHEME, Weights, find_weights
from .models import create_model, list_models

__all__ = ['SCHEME', 'IterativeClassifier', 'Weights', 'create_model', 'find_weights', 'list_models']
