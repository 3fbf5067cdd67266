"""A classifier with an adaptive backbone in plain PyTorch: stripes in noise, upright or level.

python examples/plain_classifier.py   some seconds
"""

import argparse

import torch
from torch import Tensor, nn

from iterbackbone import IterativeResNet


class Classifier(nn.Module):
    """Backbone, global average pooling and a linear layer."""

    def __init__(self, base_channels: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = IterativeResNet(
            stem='cifar',
            max_iterations=(2, 3, 4, 2),
            base_channels=base_channels,
            last_gamma=1.0,  # the paper's block: halting learns with the features within seconds
            last_relu=True,
            out_indices=(3,),
        )
        self.fc = nn.Linear(self.backbone.stages[-1].out_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to logits (B, num_classes)."""
        (features,) = self.backbone(images)
        return self.fc(features.mean(dim=(2, 3)))


def stripes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images (count, 3, 16, 16), labels (count,) and the strength of their noise (count,)."""
    labels = torch.randint(2, (count,), generator=generator)
    noise = 2 * torch.rand(count, generator=generator)
    wave = torch.sin(torch.arange(16.0))
    patterns = torch.stack([wave.expand(16, 16), wave[:, None].expand(16, 16)])[labels]
    rough = torch.randn(count, 3, 16, 16, generator=generator)
    return patterns[:, None] + noise[:, None, None, None] * rough, labels, noise


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay for all but the halting biases, which it would pull towards early halting."""
    biases = [p for name, p in model.named_parameters() if name.endswith('halting.fc2.bias')]
    others = [p for name, p in model.named_parameters() if not name.endswith('halting.fc2.bias')]
    return [dict(params=biases, weight_decay=0.0), dict(params=others, weight_decay=weight_decay)]


def train(model: Classifier, generator: torch.Generator, args: argparse.Namespace) -> None:
    """Print loss, ponder cost and mean iterations of each stage every tenth train_iter."""
    optimizer = torch.optim.SGD(parameter_groups(model, 1e-4), lr=args.lr, momentum=0.9)
    model.train()
    for step in range(args.steps):
        model.backbone.hold_halting(step < args.steps // 10)  # at full depth while features are random
        images, labels, _ = stripes(args.batch_size, generator)
        task_loss = nn.functional.cross_entropy(model(images), labels)
        ponder_cost = model.backbone.ponder_cost().mean()
        optimizer.zero_grad()
        (task_loss + args.ponder_weight * ponder_cost).backward()
        optimizer.step()
        if step % 10 == 9:
            means = [round(n, 2) for n in model.backbone.iterations().double().mean(dim=0).tolist()]
            losses = f'loss {task_loss:.3f}, ponder cost {ponder_cost:.2f}'
            print(f'train_iter {step}: {losses}, iterations {means}')


@torch.no_grad()
def evaluate(model: Classifier, generator: torch.Generator) -> None:
    """Print accuracy and mean iterations of images with little and with much noise."""
    model.eval()
    images, labels, noise = stripes(200, generator)
    right = model(images).argmax(dim=1) == labels
    iterations = model.backbone.iterations().sum(dim=1).double()
    for name, group in (('little', noise < 1), ('much', noise >= 1)):
        print(
            f'{name} noise: accuracy {right[group].double().mean():.2f}, '
            f'iterations {iterations[group].mean():.2f} of {sum(model.backbone.max_iterations)}'
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--base-channels', type=int, default=8)
    parser.add_argument('--steps', type=int, default=40)
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--lr', type=float, default=0.05)
    parser.add_argument('--ponder-weight', type=float, default=0.005)
    args = parser.parse_args()
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = Classifier(args.base_channels, num_classes=2)
    train(model, generator, args)
    evaluate(model, generator)


if __name__ == '__main__':
    main()
