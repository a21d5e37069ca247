"""Chapter 2: one neuron, its sum written out and by the class."""

from nnxp.nnfs import Neuron

inputs = [2.0, -1.5, 0.25, 3.0]
weights = [0.4, 0.9, -2.0, 0.1]
bias = 0.7

output = inputs[0] * weights[0] + inputs[1] * weights[1] + inputs[2] * weights[2] + inputs[3] * weights[3] + bias
neuron = Neuron(weights, bias)
by_class = neuron.forward(inputs)
print(f"{output:.4f} {by_class:.4f}")
