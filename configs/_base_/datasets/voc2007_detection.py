# PASCAL VOC2007 alone (not 2007+2012): trainval for training, test for evaluation, short side
# 600 as in the paper. The data root holds VOCdevkit/.
_base_ = 'mmdet::_base_/datasets/voc0712.py'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/VOCdevkit/'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/trainval.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline={{_base_.train_pipeline}},
    )
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
