"""The paper's Table 3 (ImageNet): common and efficient networks, ResNets and three of ours.

The text names none of the common and efficient networks: it says that the efficient ones have
depthwise-separable convolutions, shuffle channels or come from an architecture search. These
are the best known of each kind at the time.
"""

from __future__ import annotations

from .networks import RESNET_DEPTHS, iterative, resnet, shufflenet_v1, torchvision_network
from .row import Row, Table

CLASSES = 1000
# No first values: they would take longer than all the counting.
RANDOM = dict(init_weights=False)
INCEPTION = dict(aux_logits=False, **RANDOM)

COMMON = (
    Row('AlexNet', torchvision_network('alexnet')),
    Row('VGG16', torchvision_network('vgg16', **RANDOM)),
    Row('VGG19', torchvision_network('vgg19', **RANDOM)),
    Row('InceptionV1', torchvision_network('googlenet', **INCEPTION)),
    Row('InceptionV3', torchvision_network('inception_v3', **INCEPTION), image_size=299),
    Row('DenseNet121', torchvision_network('densenet121')),
    Row('DenseNet201', torchvision_network('densenet201')),
)
EFFICIENT = (
    Row('SqueezeNet1.1', torchvision_network('squeezenet1_1')),
    Row('Xception', None),
    Row('MobileNetV1', None),
    Row('MobileNetV2', torchvision_network('mobilenet_v2')),
    Row('MobileNetV3_large', torchvision_network('mobilenet_v3_large')),
    Row('ShuffleNetV1', shufflenet_v1(CLASSES)),
    Row('ShuffleNetV2', torchvision_network('shufflenet_v2_x1_0')),
    Row('NASNet_mobile', None),
    Row('MnasNet', torchvision_network('mnasnet1_0')),
    Row('EfficientNetB0', torchvision_network('efficientnet_b0')),
)
STATED = {
    18: dict(parameters='11', macs_mean='1.8'),
    50: dict(top1='75.2'),
    152: dict(parameters='60', top1='77.1 and 78.3', top5='94.1'),  # the text states both
}
RESNETS = tuple(
    Row(f'ResNet{depth}', resnet(depth, CLASSES, 'imagenet'), STATED.get(depth, {}))
    for depth in RESNET_DEPTHS
)
ITERATIVE = (
    Row(
        'IterativeNet152',
        iterative(CLASSES),
        dict(features='9', macs_mean='5', top1='70.2', top5='90.0'),
    ),
    Row('IterativeNet152_small', iterative(CLASSES, expansion=2), dict(features='6', top1='65.6')),
    Row('IterativeNet152_double', iterative(CLASSES, blocks_per_stage=2)),
)
IMAGENET = Table(
    title='Table 3: ImageNet',
    image_size=224,
    accuracies=('top1', 'top5'),
    parts={
        'Common networks': COMMON,
        'Efficient networks': EFFICIENT,
        'ResNets': RESNETS,
        'Iterative networks': ITERATIVE,
    },
    notes=(
        "The paper's text: ResNet152 costs six times the MACs of ResNet18, IterativeNet152 on average "
        '56% fewer than ResNet152, _small half of that, _double slightly more at almost twice the '
        'parameters.',
        'It does not name the common and efficient networks: these are the best known of their time.',
    ),
)
