"""Predictions with their cost, for the command ``demo``."""
