_base_ = './iterative-r152_8xb32_in1k.py'
# The paper's "double".
model = dict(backbone=dict(blocks_per_stage=2))
