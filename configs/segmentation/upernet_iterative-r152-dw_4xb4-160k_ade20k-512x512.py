_base_ = [
    '../_base_/models/upernet_iterative-r152-dw_ade20k.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/schedule_160k.py',
    '../_base_/segmentation_runtime.py',
]
