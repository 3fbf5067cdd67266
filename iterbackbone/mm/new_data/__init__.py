"""A config for a folder of one's own pictures: found, cleaned, split, written."""
