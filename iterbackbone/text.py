"""Text that comes from files, fit for a terminal."""


def printable(text: str) -> str:
    """In one line, without control sequences."""
    return ''.join(c if c.isprintable() else '?' for c in ' '.join(text.split()))
