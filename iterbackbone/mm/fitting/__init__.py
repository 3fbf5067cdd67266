"""Feeds :mod:`iterbackbone.fitting` from classifiers, detectors and segmentors."""
