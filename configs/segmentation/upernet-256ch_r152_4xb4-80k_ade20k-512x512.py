_base_ = [
    '../_base_/models/upernet-256ch_r152_ade20k.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/segmentation_runtime.py',
]
