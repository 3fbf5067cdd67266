"""Run a tool of OpenMMLab in a gloo group: mmengine's own launcher would ask for a GPU."""

import atexit
import os
import runpy
import sys

import torch.distributed as dist

from tests.support.gloo_ranks import PATIENCE

del sys.argv[0]
dist.init_process_group('gloo', timeout=PATIENCE)
runpy.run_path(sys.argv[0], run_name='__main__')
dist.barrier()  # fails where another rank did
dist.destroy_process_group()
# PyTorch's modules keep the group (default arguments), so gloo's threads live on. One that frees
# a tensor while Python is finalized aborts the process. End as multiprocessing's children do.
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
