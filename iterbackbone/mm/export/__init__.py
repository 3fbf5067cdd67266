"""OpenMMLab's classifiers, segmentors and detectors as modules that can be exported."""
