"""``demo``: results on pictures and videos, beside what they cost."""
