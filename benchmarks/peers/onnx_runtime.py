"""onnxruntime, which only predicts: Gemm, Relu, ..., Softmax."""

import os
from collections.abc import Callable
from typing import Any

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.problems import Problem

PACKAGES = ("onnxruntime", "onnx")


def _model(problem: Problem) -> bytes:
    nodes, tensors, x = [], [], "x"
    for i, (weights, biases) in enumerate(zip(problem.weights, problem.biases, strict=True)):
        tensors += [numpy_helper.from_array(weights, f"w{i}"), numpy_helper.from_array(biases, f"b{i}")]
        last = i == len(problem.weights) - 1
        nodes.append(helper.make_node("Gemm", [x, f"w{i}", f"b{i}"], [f"z{i}"]))
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"z{i}"], [f"a{i}"]))
        x = f"a{i}"
    n_in, n_out = problem.case.widths[0], problem.case.widths[-1]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", n_in])
    wanted = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", n_out])
    graph = helper.make_graph(nodes, "mlp", [given], [wanted], tensors)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def predict(problem: Problem) -> Callable[[int], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    session = onnxruntime.InferenceSession(_model(problem), options, providers=["CPUExecutionProvider"])
    feed = {"x": problem.X}

    def run(count: int) -> Any:
        for _ in range(count):
            (out,) = session.run(None, feed)
        return out

    return run
