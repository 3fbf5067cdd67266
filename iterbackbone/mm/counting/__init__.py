"""What a model computes: MACs, parameters, forward times."""
