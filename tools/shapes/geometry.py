"""Outlines of the shapes and the pixels that they cover."""

from dataclasses import dataclass

import cv2
import numpy as np

SUPERSAMPLE = 4  # sub-pixels along a pixel's side
SHIFT = 6  # fractional bits of the coordinates given to OpenCV


@dataclass(frozen=True)
class Shape:
    """One object of a scene."""

    name: str  # of its class
    centre: tuple[float, float]  # x and y in pixels; pixel (0, 0) spans [0, 1) x [0, 1)
    radius: float  # of the circumscribed circle in pixels
    aspect: float  # height over width before rotation, at most 1
    angle: float  # of the rotation in radians
    thickness: float  # 0 (thin) to 1 (thick) for arms, points and bands
    faint: bool = False  # painted with little contrast and marked difficult


@dataclass(frozen=True)
class Patch:
    """Coverage of one shape, possibly reaching over the image's border."""

    left: int  # image column of the first column
    top: int  # image row of the first row
    alpha: np.ndarray  # share of each pixel that is covered, (h, w) float32 in [0, 1]

    @property
    def mask(self) -> np.ndarray:
        """Pixels that belong to the shape, (h, w) bool: covered by half or more."""
        return self.alpha >= 0.5

    def windows(self, size: tuple[int, int]):
        """Slices (rows, columns) of the part inside an image of size (W, H) px: image's, patch's."""
        (h, w), (width, height) = self.alpha.shape, size
        y0, y1 = max(self.top, 0), max(min(self.top + h, height), 0)
        x0, x1 = max(self.left, 0), max(min(self.left + w, width), 0)
        inner = slice(y0 - self.top, y1 - self.top), slice(x0 - self.left, x1 - self.left)
        return (slice(y0, y1), slice(x0, x1)), inner


def _polygon(angles, radii):
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=-1)


def unit_outline(name: str, thickness: float) -> list[np.ndarray]:
    """Closed contours, each (N, 2) as x and y, inside the unit circle; the second one is a hole."""
    corners = {'circle': 72, 'square': 4, 'triangle': 3, 'star': 10, 'ring': 72, 'cross': 12}[name]
    angles = 2 * np.pi * np.arange(corners) / corners
    if name == 'star':
        return [_polygon(angles, np.where(np.arange(10) % 2, 0.40 + 0.08 * thickness, 1.0))]
    if name == 'ring':
        return [_polygon(angles, np.ones(72)), _polygon(angles, np.full(72, 0.70 - 0.20 * thickness))]
    if name == 'cross':
        a = 0.22 + 0.12 * thickness  # half the width of an arm
        b = np.sqrt(1 - a * a)
        quarter = np.array([(a, -b), (a, -a), (b, -a)])
        turns = [
            np.array([(np.cos(t), np.sin(t)), (-np.sin(t), np.cos(t))])
            for t in np.arange(4) * np.pi / 2
        ]
        return [np.concatenate([quarter @ turn for turn in turns])]
    return [_polygon(angles, np.ones(corners))]


def cover(shape: Shape) -> Patch:
    """Rasterises a shape without regard to any image border; see :class:`Patch`."""
    cos, sin = np.cos(shape.angle), np.sin(shape.angle)
    turn = np.array([(cos, sin), (-sin, cos)])
    scale = shape.radius * np.array([1.0, shape.aspect])
    contours = [
        points * scale @ turn + shape.centre for points in unit_outline(shape.name, shape.thickness)
    ]
    left, top = np.floor(contours[0].min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(contours[0].max(axis=0)).astype(int) + 1
    fine = np.zeros(((bottom - top) * SUPERSAMPLE, (right - left) * SUPERSAMPLE), np.uint8)
    # OpenCV counts from the centre of a (sub-)pixel, hence the half
    fixed = [((c - (left, top)) * SUPERSAMPLE - 0.5) * 2**SHIFT for c in contours]
    cv2.fillPoly(fine, [np.rint(c).astype(np.int32) for c in fixed], 255, shift=SHIFT)
    alpha = cv2.resize(
        fine.astype(np.float32) / 255, (right - left, bottom - top), interpolation=cv2.INTER_AREA
    )
    return Patch(int(left), int(top), alpha)
