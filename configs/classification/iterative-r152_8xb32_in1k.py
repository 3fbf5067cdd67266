_base_ = [
    '../_base_/models/iterative-r152_imagenet.py',
    '../_base_/datasets/imagenet_256-224.py',
    '../_base_/schedules/imagenet_90e.py',
    '../_base_/classification_runtime.py',
]
