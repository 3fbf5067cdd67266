_base_ = './iterative-r152_1xb128_cifar10.py'
# Two iterative blocks per stage.
model = dict(backbone=dict(blocks_per_stage=2))
