"""What evaluations log of each image."""
