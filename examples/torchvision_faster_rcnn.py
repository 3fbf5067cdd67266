"""torchvision's Faster R-CNN with an adaptive backbone, in a training loop of its own.

python examples/torchvision_faster_rcnn.py   a few train_iters on generated rectangles, some seconds
python examples/torchvision_faster_rcnn.py --voc-root data --base-channels 64 --size 600 --steps 20000
"""

import argparse

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets import VOCDetection
from torchvision.models.detection import FasterRCNN
from torchvision.transforms.functional import to_tensor

from iterbackbone import IterativeResNet
from iterbackbone.torchvision import torchvision_backbone


class Rectangles(Dataset):
    """Noise of 96x128 pixels with two rectangles, a darker and a brighter one."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(index)
        image = torch.rand(3, 96, 128, generator=generator) / 2
        corners = torch.randint(0, 60, (2, 2), generator=generator)
        boxes = torch.cat([corners, corners + torch.randint(16, 36, (2, 2), generator=generator)], 1)
        for label, (x1, y1, x2, y2) in enumerate(boxes.tolist(), start=1):
            image[:, y1:y2, x1:x2] += label / 4
        return image, {'boxes': boxes.float(), 'labels': torch.tensor([1, 2])}


class VOC(VOCDetection):
    """VOC2007's train images; classes are numbered in the order in which they appear."""

    def __init__(self, root: str) -> None:
        super().__init__(root, year='2007', image_set='train')
        self.numbers: dict[str, int] = {}

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, xml = super().__getitem__(index)
        objects = [o for o in xml['annotation']['object'] if o['difficult'] == '0']
        sides = ('xmin', 'ymin', 'xmax', 'ymax')
        boxes = [[float(o['bndbox'][side]) - 1 for side in sides] for o in objects]
        labels = [self.numbers.setdefault(o['name'], len(self.numbers) + 1) for o in objects]
        target = {'boxes': torch.tensor(boxes).reshape(-1, 4), 'labels': torch.tensor(labels).long()}
        return to_tensor(image), target


def train(detector: FasterRCNN, data: Dataset, args: argparse.Namespace) -> None:
    """Print the losses and the images' iterations, stage by stage, of every train_iter."""
    backbone = detector.backbone.backbone
    # No weight decay: it would pull the halting biases towards early halting.
    optimizer = torch.optim.SGD(detector.parameters(), lr=args.lr, momentum=0.9)
    detector.train()
    for step in range(args.steps):
        backbone.hold_halting(step < args.steps // 10)  # at full depth while features are random
        start = step * args.batch_size
        batch = [data[i % len(data)] for i in range(start, start + args.batch_size)]
        losses = detector(*map(list, zip(*batch, strict=True)))
        losses['loss_ponder'] = args.ponder_weight * backbone.ponder_cost().mean()
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        values = ', '.join(f'{name} {value:.3f}' for name, value in losses.items())
        print(f'train_iter {step}: {values}, iterations {backbone.iterations().tolist()}')


@torch.no_grad()
def predict(detector: FasterRCNN, data: Dataset) -> None:
    """Print what three images needed, one at a time: padding would count as image."""
    detector.eval()
    for index in range(3):
        (found,) = detector([data[index][0]])
        (iterations,) = detector.backbone.backbone.iterations().tolist()
        print(f'image {index}: {len(found["boxes"])} boxes, iterations {iterations}')


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--voc-root', help='folder with VOCdevkit/VOC2007; else generated images')
    parser.add_argument('--base-channels', type=int, default=16)
    parser.add_argument('--size', type=int, default=96, help='short side in pixels')
    parser.add_argument('--steps', type=int, default=5)
    parser.add_argument('--batch-size', type=int, default=2)
    parser.add_argument('--lr', type=float, default=0.005)
    parser.add_argument('--ponder-weight', type=float, default=0.005)
    args = parser.parse_args()
    torch.manual_seed(0)
    data = VOC(args.voc_root) if args.voc_root else Rectangles()
    backbone = IterativeResNet(depth=50, base_channels=args.base_channels)
    pyramid = torchvision_backbone(backbone, out_channels=4 * args.base_channels)
    detector = FasterRCNN(pyramid, num_classes=21, min_size=args.size)
    train(detector, data, args)
    predict(detector, data)


if __name__ == '__main__':
    main()
