"""Statistics of iteration logs: numpy and scipy only."""
