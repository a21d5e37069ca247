"""onnxruntime, which only predicts: the file that nnxp exports."""

import os
from collections.abc import Callable
from typing import Any

import onnxruntime

from benchmarks.peers import nnxp_fast
from benchmarks.problems import Problem
from nnxp.export.onnxfile import proto_of

PACKAGES = ("onnxruntime", "onnx", "nnxp")


def predict(problem: Problem) -> Callable[[int], Any]:
    content = proto_of(nnxp_fast.model(problem, "numpy"), ["probabilities"]).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feed = {"X": problem.X}

    def run(count: int) -> Any:
        for _ in range(count):
            (out,) = session.run(None, feed)
        return out

    return run
