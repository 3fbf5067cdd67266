_base_ = [
    '../_base_/models/iterative-r152_imagenet.py',
    '../_base_/datasets/imagenet_256-224.py',
    '../_base_/schedules/imagenet_modern-90e.py',
    '../_base_/classification_runtime.py',
]
model = dict(head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)))
