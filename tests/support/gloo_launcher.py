"""Run a tool of OpenMMLab in a gloo group: mmengine's own launcher would ask for a GPU."""

import runpy
import sys

import torch.distributed as dist

from tests.support.gloo_ranks import PATIENCE

del sys.argv[0]
dist.init_process_group('gloo', timeout=PATIENCE)
runpy.run_path(sys.argv[0], run_name='__main__')
dist.destroy_process_group()
