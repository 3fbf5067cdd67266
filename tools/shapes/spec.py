"""What a set of scenes is made from: the classes and the checked parameters."""

import math
from dataclasses import dataclass

CLASSES = ('circle', 'square', 'triangle', 'star', 'ring', 'cross')
SPLITS = ('train', 'val')
VERSION = 2  # raise it with every change that changes a written byte

MIN_DIAMETER = 12.0  # px; below it the classes cannot be told apart
MAX_FILL = 0.5  # share of the image that the smallest objects may need together
MAX_IMAGES = 400_000  # ids of the two splits stay apart


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
