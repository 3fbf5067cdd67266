"""A config that inherits another one and swaps the backbone in."""
