"""nnxp on NumPy alone."""

from functools import partial

from benchmarks.peers import nnxp_fast

PACKAGES = ("nnxp", "numpy")
step = partial(nnxp_fast.step, fast=False)
epoch = partial(nnxp_fast.epoch, fast=False)
predict = partial(nnxp_fast.predict, fast=False)
