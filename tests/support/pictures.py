"""Picture files that decoders trip over."""

from __future__ import annotations

import struct


def write_huge(path):
    """A BMP file of 60000x60000 pixels, more than OpenCV decodes, of which only the header is there."""
    side, bits = 60000, 24
    info = struct.pack('<IiiHHIIiiII', 40, side, side, 1, bits, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b'BM' + struct.pack('<IHHI', 54, 0, 0, 54) + info)
    return path
