_base_ = './faster-rcnn_iterative-r152_fpn_1x_voc2007.py'
# The paper's "double": two iterative blocks in each stage.
model = dict(backbone=dict(blocks_per_stage=2))
