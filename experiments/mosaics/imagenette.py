# Mosaics of Imagenette's ten classes, photographs of 224 pixels and more; an hour on a core.
# Canvases of 128 pixels: MOSAICS_CANVAS=128 in the environment of each command.
_base_ = 'anytime.py'
data_root, classes = 'data/imagenette', 10
canvas = int('{{$MOSAICS_CANVAS:192}}')
tiles = (canvas, canvas // 2, canvas // 4)
work_dir = f'work_dirs/mosaics_imagenette_{canvas}'
source = dict(type='MosaicDataset', data_root=data_root, classes=classes, size=canvas, tiles=tiles)
model = dict(data_preprocessor=dict(size=(canvas, canvas)), decode_head=dict(num_classes=classes))
train_dataloader = dict(dataset=source)
val_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(part='fit', length=3000, pool=20, **source),
            dict(part='calibrate', length=1500, pool=20, **source),
        ]
    )
)
test_dataloader = dict(dataset=source)
