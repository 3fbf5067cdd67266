"""Checkpoints: read without running code, and checked for what fits."""
