_base_ = './faster-rcnn_iterative-r152_fpn_1x_voc2007.py'
# The paper's "small": expansion 2, so half the channels reach the neck.
model = dict(backbone=dict(expansion=2), neck=dict(in_channels=[128, 256, 512, 1024]))
