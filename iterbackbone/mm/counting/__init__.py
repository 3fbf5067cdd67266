"""What a model computes: MACs and parameters."""
