"""Turns trained ResNets into initial IterativeResNets; needs torch and numpy only."""
