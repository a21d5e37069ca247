"""Chapter 2: three neurons that read the same inputs, in loops and as a layer."""

from nnxp.nnfs import Layer, Neuron

inputs = [1.5, 0.5, -2.0]
weights = [[0.3, -0.6, 0.2], [1.0, 0.1, -0.4], [-0.7, 0.8, 0.05]]
biases = [1.0, -2.0, 0.5]

layer_outputs = []
for neuron_weights, neuron_bias in zip(weights, biases, strict=True):
    total = neuron_bias
    for number, weight in zip(inputs, neuron_weights, strict=True):
        total += number * weight
    layer_outputs.append(total)

layer = Layer(
    [Neuron(neuron_weights, neuron_bias) for neuron_weights, neuron_bias in zip(weights, biases, strict=True)]
)
by_class = layer.forward(inputs)
