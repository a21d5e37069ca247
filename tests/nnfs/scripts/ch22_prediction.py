"""Chapter 22: the class of a picture by its name."""

from nnxp import data, nnfs
from nnxp.nnfs import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)

nnfs.init()
fashion = data.fashion_mnist()
X, y = (fashion.X[:300] - 127.5) / 127.5, fashion.y[:300]

model = Model()
model.add(Layer_Dense(X.shape[1], 16))
model.add(Activation_ReLU())
model.add(Layer_Dense(16, 10))
model.add(Activation_Softmax())
model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(decay=1e-4), accuracy=Accuracy_Categorical())
model.finalize()
model.train(X, y, epochs=4, batch_size=50, print_every=100)

image = 255 - fashion.X_test[:8]  # dark on light, as a photograph is
confidences = model.predict((255 - image - 127.5) / 127.5, batch_size=4)
predictions = model.output_layer_activation.predictions(confidences)
names = [fashion.classes[int(prediction)] for prediction in predictions]
print(" ".join(names))
