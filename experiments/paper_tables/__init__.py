"""The paper's classification tables: their networks, what was measured of them, as text."""

from .cifar import CIFAR10, CIFAR100
from .imagenet import IMAGENET
from .row import Table

TABLES: dict[int, Table] = {1: CIFAR10, 2: CIFAR100, 3: IMAGENET}
