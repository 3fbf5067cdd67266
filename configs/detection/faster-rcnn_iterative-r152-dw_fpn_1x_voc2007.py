_base_ = './faster-rcnn_iterative-r152_fpn_1x_voc2007.py'
# Depthwise-separable 3x3 convolutions.
model = dict(backbone=dict(depthwise=True))
