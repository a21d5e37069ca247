"""PyTorch, the model and its loss through `torch.compile`; Adam is the fused one, as in eager mode."""

from functools import partial

import torch

from benchmarks.peers import torch_eager

PACKAGES = ("torch",)
step = partial(torch_eager.step, wrap=torch.compile)
epoch = partial(torch_eager.epoch, wrap=torch.compile)
predict = partial(torch_eager.predict, wrap=torch.compile)
