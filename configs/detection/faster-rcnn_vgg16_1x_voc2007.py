_base_ = [
    '../_base_/models/faster-rcnn_vgg16_voc.py',
    '../_base_/datasets/voc2007_detection.py',
    '../_base_/schedules/voc2007_1x.py',
    '../_base_/detection_runtime.py',
]
