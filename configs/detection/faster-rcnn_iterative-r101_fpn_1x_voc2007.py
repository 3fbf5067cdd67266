_base_ = './faster-rcnn_iterative-r50_fpn_1x_voc2007.py'
model = dict(backbone=dict(depth=101))
