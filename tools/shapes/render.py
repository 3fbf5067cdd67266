"""Pixels of a scene. Images are BGR; while being painted (H, W, 3) float32 with values 0-255."""

import cv2
import numpy as np

from .geometry import SHIFT, Patch
from .scene import Scene, ShapesSpec

CONTRAST = 30.0  # smallest CIELAB distance of an object's colours to its surroundings
FAINT_CONTRAST = 13.0  # the distance for faint objects
TEXTURE_SHARES = (0.25, 0.2, 0.15, 0.15, 0.125, 0.125)  # from plain to dots
CLUTTER_PER_PIXEL = 40 / (256 * 192)  # mean number of distractors at --clutter 1


def _noise(rng, size, cell, channels=3):
    """Smooth noise, (H, W, channels) float32 of about unit deviation; ``cell`` is its grain, px."""
    width, height = size
    grid = rng.standard_normal((int(height / cell) + 2, int(width / cell) + 2, channels), np.float32)
    if cell > 1:
        grid = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return grid[:height, :width].reshape(height, width, channels)


def _waves(rng, x, y, period):
    """Stripes across x and y (same shape, pixels), values 0-1, at a random angle; period in pixels."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    return 0.5 + 0.5 * np.tanh(2.5 * np.sin(2 * np.pi * along / period + phase))


def background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A smooth colour field with noise and, in half of the images, stripes; size is (W, H) px."""
    width, height = size
    field = 0.8 * _noise(rng, size, max(size) / 3, 1) + 0.5 * _noise(rng, size, max(size) / 3)
    canvas = rng.uniform(55, 200) + rng.normal(0, 22, 3) + rng.uniform(6, 45) * field
    if rng.random() < 0.5:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        bend = rng.uniform(0, 6) * _noise(rng, size, 40, 1)[..., 0]
        stripes = _waves(rng, x + bend, y + bend, rng.uniform(8, 50))
        canvas += stripes[..., None] * (rng.normal(0, 16) + rng.normal(0, 6, 3))
    strength = rng.uniform(1, 9)
    for cell in (1, 3, 9):
        canvas += strength * (0.7 * _noise(rng, size, cell, 1) + 0.3 * _noise(rng, size, cell))
    return np.clip(canvas, 0, 255).astype(np.float32)


def _stroke(rng, start):
    """Points of an open, bending line from ``start``, (N, 2) px."""
    steps = rng.uniform(2, 6) * np.ones(rng.integers(3, 12))
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, len(steps)))
    return start + np.cumsum(np.stack([steps * np.cos(turns), steps * np.sin(turns)], -1), 0)


def _blob(rng, centre):
    """Points of an irregular closed outline around ``centre``, (24, 2) px, unlike any class."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = 1 + sum(rng.uniform(0.1, 0.3) * np.sin(k * angles + rng.uniform(0, 6.3)) for k in (2, 3, 5))
    points = rng.uniform(2, 7) * np.stack([radii * np.cos(angles), 0.6 * radii * np.sin(angles)], -1)
    turn = rng.uniform(0, np.pi)
    return centre + points @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])


def add_clutter(rng: np.random.Generator, canvas: np.ndarray, clutter: float) -> np.ndarray:
    """Paints strokes and blobs on a copy of (H, W, 3); images differ from tidy to full ones."""
    height, width = canvas.shape[:2]
    count = rng.poisson(clutter * CLUTTER_PER_PIXEL * width * height * 3 * rng.random() ** 2)
    painted = np.rint(canvas).astype(np.uint8)
    for _ in range(count):
        place, colour = rng.uniform(0, (width, height)), rng.uniform(10, 245, 3).tolist()
        is_blob = rng.random() < 0.4
        points = _blob(rng, place) if is_blob else _stroke(rng, place)
        fixed = [np.rint((points - 0.5) * 2**SHIFT).astype(np.int32)]
        if is_blob:
            cv2.fillPoly(painted, fixed, colour, cv2.LINE_AA, SHIFT)
        else:
            cv2.polylines(painted, fixed, False, colour, int(rng.integers(1, 4)), cv2.LINE_AA, SHIFT)
    return painted.astype(np.float32)


def _lab(colours):
    return cv2.cvtColor(np.float32(colours).reshape(-1, 1, 3) / 255, cv2.COLOR_BGR2LAB)[:, 0]


def choose_colours(rng: np.random.Generator, around: np.ndarray, faint: bool) -> np.ndarray:
    """Two colours, (2, 3) float, for an object whose surroundings have the colours (M, 3)."""
    middle = around.mean(axis=0)
    colours = rng.uniform(5, 250, (48, 3))
    if faint:
        colours = np.clip(middle + (colours - 127) / 3, 0, 255)
    distances = np.linalg.norm(_lab(colours)[:, None] - _lab(around)[None], axis=-1)
    if faint:
        return colours[np.argsort(np.abs(distances.mean(axis=1) - FAINT_CONTRAST))[:2]]
    near = np.percentile(distances, 20, axis=1)
    return colours[np.argsort(np.maximum(CONTRAST - near, 0), kind='stable')[:2]]


def texture(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """How much of the second colour each pixel has, 0-1, over x and y (h, w) in pixels."""
    kind = rng.choice(['plain', 'gradient', 'noise', 'stripes', 'checks', 'dots'], p=TEXTURE_SHARES)
    period = max(4.0, radius * rng.uniform(0.25, 0.7))
    if kind == 'plain':
        return np.zeros_like(x)
    if kind == 'stripes':
        return _waves(rng, x, y, period)
    if kind == 'noise':
        return 0.5 + 0.5 * np.tanh(_noise(rng, x.shape[::-1], period / 2, 1)[..., 0])
    angle = rng.uniform(0, 2 * np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if kind == 'gradient':
        return np.clip(0.5 + 0.6 * u / radius, 0, 1)
    bumps = np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period)
    return 0.5 + 0.5 * np.tanh(4 * (bumps if kind == 'checks' else 2 * np.abs(bumps) - 1))


def _paint(rng, canvas, shape, patch, shadow):
    """Paints one object, and its shadow, into the canvas."""
    size = canvas.shape[1::-1]
    outer, inner = patch.windows(size)
    grown = cv2.dilate(patch.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > patch.mask
    around = canvas[outer][grown[inner]]
    around = around[:: max(1, len(around) // 64)]
    colours = choose_colours(rng, around, shape.faint)
    y, x = np.mgrid[: patch.alpha.shape[0], : patch.alpha.shape[1]].astype(np.float32)
    x, y = x + patch.left + 0.5 - shape.centre[0], y + patch.top + 0.5 - shape.centre[1]
    share = (rng.uniform(0.2, 0.9) * texture(rng, x, y, shape.radius))[..., None]
    light = 1 + rng.uniform(0, 0.12) * (x + y)[..., None] / shape.radius * rng.choice([-1, 1])
    fill = np.clip((colours[0] * (1 - share) + colours[1] * share) * light, 0, 255)[inner]
    if not shape.faint and shadow > 0:
        _darken(canvas, patch, shadow, max(1, round(0.08 * shape.radius)))
    alpha = patch.alpha[inner][..., None]
    canvas[outer] += alpha * (fill - canvas[outer])


def _darken(canvas, patch, strength, offset):
    """Darkens the canvas where the patch, moved down right by ``offset`` px, throws its shadow."""
    pad = 3 * offset
    soft = cv2.GaussianBlur(np.pad(patch.alpha, pad), (0, 0), offset)
    moved = Patch(patch.left - pad + offset, patch.top - pad + offset, soft)
    outer, inner = moved.windows(canvas.shape[1::-1])
    canvas[outer] *= 1 - strength * soft[inner][..., None]


def render(rng: np.random.Generator, scene: Scene, spec: ShapesSpec) -> np.ndarray:
    """The image of a scene, (H, W, 3) uint8, BGR."""
    canvas = add_clutter(rng, background(rng, spec.size), spec.clutter)
    shadow = rng.choice([0.0, 0.25, 0.45])
    for shape, patch in zip(scene.shapes, scene.patches, strict=True):
        _paint(rng, canvas, shape, patch, shadow)
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.8))
    canvas = canvas * rng.uniform(0.85, 1.1) + rng.uniform(0.5, 5) * _noise(rng, spec.size, 1)
    return np.rint(np.clip(canvas, 0, 255)).astype(np.uint8)
