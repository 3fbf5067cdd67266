# The same network with one iteration a stage, trained the same way. Its start, of shipped weights:
# torch.save(create_model(NAME, True, features_only=True, out_indices=(2,),
#     max_iterations=(1, 1, 1, 1)).state_dict(), 'work_dirs/voc_cells/one_iteration_start.pth')
_base_ = 'anytime.py'
model = dict(
    backbone=dict(
        max_iterations=(1, 1, 1),
        init_cfg=dict(checkpoint='work_dirs/voc_cells/one_iteration_start.pth'),
    )
)
custom_hooks = []
