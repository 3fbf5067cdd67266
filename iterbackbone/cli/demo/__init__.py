"""``demo``: results on pictures and videos, beside what they cost."""

from .options import add_command

__all__ = ['add_command']
