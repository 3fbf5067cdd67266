"""What a set is made from, and what is where: objects' numbers, sizes, places, annotations."""

import math
from dataclasses import dataclass

import numpy as np

from .geometry import Patch, Shape, cover

CLASSES = ('circle', 'square', 'triangle', 'star', 'ring', 'cross')
SPLITS = ('train', 'val')
VERSION = 2  # raise it with every change that changes a written byte

MIN_DIAMETER = 12.0  # px; below it the classes cannot be told apart
MAX_FILL = 0.5  # share of the image that the smallest objects may need together
MAX_IMAGES = 400_000  # ids of the two splits stay apart
MIN_VISIBLE_SHARE = 0.35  # objects with a smaller visible share are difficult
MIN_VISIBLE_PIXELS = 30  # objects with fewer visible pixels are difficult
KEPT_PIXELS = 12  # no object is ever hidden down to fewer pixels
TRIES = 40  # random places per diameter before the object is made smaller


def _require(ok: bool, option: str, value, allowed: str):
    """Raises a ``ValueError`` that names the command-line option, its value and what is allowed."""
    if not ok:
        shown = ' '.join(map(str, value)) if isinstance(value, tuple) else value
        raise ValueError(f'{option} {shown}: {allowed}')


@dataclass(frozen=True)
class ShapesSpec:
    """Parameters of a set; checked when made."""

    num_train: int = 400  # images
    num_val: int = 100
    seed: int = 0  # of the whole set, 0 or more
    size: tuple[int, int] = (256, 192)  # width and height of an image in pixels
    objects: tuple[int, int] = (1, 20)  # fewest and most in an image
    # Smallest and largest diameter of a circumscribed circle, as shares of the image's short side.
    object_size: tuple[float, float] = (0.08, 0.5)
    clutter: float = 0.5  # amount of unlabelled strokes and blobs, 0 (none) to 1
    # Share of objects that are small, faint and marked difficult; an image's front one never is.
    difficult: float = 0.05

    def __post_init__(self):
        for option in ('num_train', 'num_val'):
            value = getattr(self, option)
            allowed = f'must be 1 to {MAX_IMAGES}'
            _require(1 <= value <= MAX_IMAGES, f'--{option.replace("_", "-")}', value, allowed)
        _require(self.seed >= 0, '--seed', self.seed, 'must be 0 or more')
        allowed = 'width and height must each be 64 to 4096 pixels'
        _require(all(64 <= side <= 4096 for side in self.size), '--size', self.size, allowed)
        for option in ('clutter', 'difficult'):
            value = getattr(self, option)
            _require(0 <= value <= 1, f'--{option}', value, 'must be 0 to 1')
        self._check_objects()

    def _check_objects(self):
        low, high = self.object_size
        allowed = 'must be two shares LOW HIGH with 0 < LOW <= HIGH <= 0.9'
        _require(0 < low <= high <= 0.9, '--object-size', self.object_size, allowed)
        smallest = self.diameters[0]
        lowest = math.ceil(1000 * MIN_DIAMETER / min(self.size)) / 1000
        allowed = f'LOW makes objects of {smallest:.1f} px; {MIN_DIAMETER:.0f} px ({lowest}) needed'
        _require(smallest >= MIN_DIAMETER, '--object-size', self.object_size, allowed)
        width, height = self.size
        most = max(1, min(250, int(MAX_FILL * width * height / smallest**2)))
        few, many = self.objects
        allowed = f'must be two numbers LOW HIGH with 1 <= LOW <= HIGH <= {most} (the most that fit)'
        _require(1 <= few <= many <= most, '--objects', self.objects, allowed)

    @property
    def diameters(self) -> tuple[float, float]:
        """Smallest and largest diameter of an object in pixels."""
        short = min(self.size)
        return self.object_size[0] * short, self.object_size[1] * short


@dataclass(frozen=True)
class Annotation:
    """What is written about one object."""

    name: str  # of its class
    box: tuple[int, int, int, int]  # first column and row, last ones of the visible pixels, from 0
    truncated: bool  # some of it lies behind another object or outside the image
    difficult: bool  # faint, or too little of it is visible
    visible: float  # share of its pixels


@dataclass
class Scene:
    """Objects in painting order, the front one last."""

    shapes: list[Shape]
    patches: list[Patch]  # their coverage
    ids: np.ndarray  # (H, W) uint8; 0 is background, k the k-th object where it is visible

    def annotations(self) -> list[Annotation]:
        """One of each object, in painting order."""
        return [self._annotation(number) for number in range(1, len(self.shapes) + 1)]

    def class_map(self) -> np.ndarray:
        """(H, W) uint8: 0 is background, k the k-th of ``CLASSES`` counted from 1."""
        table = [0] + [CLASSES.index(shape.name) + 1 for shape in self.shapes]
        return np.array(table, np.uint8)[self.ids]

    def _annotation(self, number):
        shape, full = self.shapes[number - 1], int(self.patches[number - 1].mask.sum())
        rows, columns = np.nonzero(self.ids == number)
        box = tuple(int(v) for v in (columns.min(), rows.min(), columns.max(), rows.max()))
        too_little = rows.size < max(MIN_VISIBLE_SHARE * full, MIN_VISIBLE_PIXELS)
        return Annotation(
            shape.name, box, rows.size < full, shape.faint or too_little, rows.size / full
        )


def image_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """The random numbers of one image; they depend on nothing but the three arguments."""
    return np.random.default_rng([seed, SPLITS.index(split), index])


def draw_count(rng: np.random.Generator, spec: ShapesSpec) -> int:
    """Number of objects, log-uniform: a quarter of the images of 1-20 objects have just one."""
    few, many = spec.objects
    return int(np.clip(np.exp(rng.uniform(np.log(few), np.log(many + 1))), few, many))


def draw_diameters(rng: np.random.Generator, spec: ShapesSpec, count: int) -> np.ndarray:
    """Diameters in pixels, (count,) float; many objects are mostly, but not always, smaller ones."""
    low, high = spec.diameters
    if rng.random() < 0.3:  # the number of objects says nothing about their size
        typical = np.exp(rng.uniform(np.log(low), np.log(high)))
    else:
        typical = 0.85 * high * count**-0.4 * np.exp(rng.normal(0, 0.3))
    diameters = np.clip(typical * np.exp(rng.normal(0, 0.35, count)), low, high)
    crowded = 0.6 * np.square(diameters).sum() / (0.55 * spec.size[0] * spec.size[1])
    diameters = np.maximum(low, diameters / np.sqrt(max(1.0, crowded)))
    return diameters[np.argsort(-diameters * np.exp(rng.normal(0, 0.4, count)))]


def _random_shape(rng, spec, name, diameter, faint):
    radius = diameter / 2
    margin = 0.0 if rng.random() < 0.15 else radius  # 0: may be cut by the border
    centre = tuple(float(rng.uniform(margin, side - margin)) for side in spec.size)
    aspect, angle, thickness = rng.uniform(0.82, 1), rng.uniform(0, 2 * np.pi), rng.random()
    return Shape(name, centre, radius, aspect, angle, thickness, faint)


def _try_place(scene, visible, shape, apart):
    """Adds the shape in front unless it is cut, or hides others, too much; returns whether it did."""
    height, width = scene.ids.shape
    patch = cover(shape)
    outer, inner = patch.windows((width, height))
    inside = patch.mask[inner]
    if inside.sum() < 0.5 * patch.mask.sum():
        return False
    hidden = np.bincount(scene.ids[outer][inside], minlength=len(visible) + 1)[1:]
    for (inside_area, now), loss in zip(visible, hidden, strict=True):
        if loss and now - loss < max(apart * inside_area, KEPT_PIXELS):
            return False
    for entry, loss in zip(visible, hidden, strict=True):
        entry[1] -= loss
    visible.append([int(inside.sum())] * 2)
    scene.shapes.append(shape)
    scene.patches.append(patch)
    scene.ids[outer][inside] = len(visible)
    return True


def _place(rng, spec, scene, visible, name, diameter, faint, apart):
    smallest = spec.diameters[0]
    while True:
        for _ in range(TRIES):
            if _try_place(scene, visible, _random_shape(rng, spec, name, diameter, faint), apart):
                return
        if diameter == smallest:
            if apart == 0:
                raise RuntimeError(
                    f'no room for object {len(visible) + 1}; lower --objects or --object-size'
                )
            apart = 0.0
        diameter = max(smallest, 0.8 * diameter)


def make_scene(rng: np.random.Generator, spec: ShapesSpec) -> Scene:
    """Draws one scene: its objects, their coverage and the (H, W) map of who is visible where."""
    count = draw_count(rng, spec)
    diameters = draw_diameters(rng, spec, count)
    faint = rng.random(count) < spec.difficult
    faint[-1] = False  # every image keeps an object that counts
    diameters = np.where(faint, np.maximum(spec.diameters[0], 0.6 * diameters), diameters)
    apart = rng.choice([0.97, 0.6, 0.2], p=[0.5, 0.35, 0.15])  # share of an object that stays visible
    scene, visible = Scene([], [], np.zeros(spec.size[::-1], np.uint8)), []
    for diameter, is_faint in zip(diameters, faint, strict=True):
        name = CLASSES[rng.integers(len(CLASSES))]
        _place(rng, spec, scene, visible, name, float(diameter), bool(is_faint), apart)
    return scene
