_base_ = [
    '../_base_/models/faster-rcnn_iterative_c4_voc.py',
    '../_base_/datasets/voc2007_detection.py',
    '../_base_/schedules/voc2007_1x.py',
    '../_base_/detection_runtime.py',
]
model = dict(backbone=dict(depth=152), roi_head=dict(shared_head=dict(depth=152)))
