_base_ = './upernet_iterative-r152_ade20k.py'
# Depthwise-separable 3x3 convolutions.
model = dict(backbone=dict(depthwise=True))
