"""Chapter 5: the loss of confidences, of class indices and of one-hot rows."""

import math

import numpy as np

from nnxp.nnfs import Loss_CategoricalCrossentropy

softmax_outputs = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
class_targets = [0, 1, 1]

one_sample = -math.log(softmax_outputs[0, 0])
confidences = softmax_outputs[range(3), class_targets]
average = np.mean(-np.log(confidences))
loss_function = Loss_CategoricalCrossentropy()
loss = loss_function.calculate(softmax_outputs, np.array(class_targets))
of_rows = loss_function.calculate(softmax_outputs, np.eye(3)[class_targets])
