# Faster R-CNN with a feature pyramid for the 20 classes of VOC.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
