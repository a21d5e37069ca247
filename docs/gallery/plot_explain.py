"""
One step with every number
==========================

``nnxp.explain`` runs one training step and shows all of it: formula, numbers put in, value; forward, loss, gradients,
update. Without arguments it takes the example that many explanations of backpropagation work through, with two inputs,
two hidden and two output neurons. The page is one file that needs no network; here it stands in a frame, and goes from
step to step by its buttons or by the arrow keys.
"""

import html

import matplotlib.pyplot as plt

import nnxp

step = nnxp.explain()
print(f"loss {step.loss:.9f}, and {step.loss_after:.9f} after the step")


class Frame:
    """A page within this one."""

    def _repr_html_(self):
        page = html.escape(step.html(), quote=True)
        frame = 'title="A worked step" style="width: 100%; height: 36rem; border: 1px solid gray"'
        return f'<iframe {frame} srcdoc="{page}"></iframe>'


Frame()

# %%
# Beside every gradient stands its central difference, which takes no calculus: the loss with the weight a little
# larger, less that with it a little smaller. Both in one picture, layer by layer, in the order of the page:

figure, axes = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
place = 0
for number, gradient in enumerate(step.gradients):
    values, differences = gradient.values.ravel(), gradient.differences.ravel()
    places = range(place, place + len(values))
    axes.bar(places, values, color=f"C{number}", label=f"layer {gradient.layer + 1}, {gradient.name}")
    axes.plot(places, differences, "k_", markersize=14, label=None if number else "central difference")
    place += len(values) + 1
    print(f"layer {gradient.layer + 1}, {gradient.name:7}  largest error {gradient.error.max():.1e}")
axes.axhline(0, color="black", linewidth=0.8)
axes.set(xticks=[], ylabel="gradient")
axes.legend(fontsize=9)
plt.show()

# %%
# The same for a model of your own, on some rows. Printed, it is a page of text, which begins like this:

X, y = nnxp.data.moons(40, seed=0)
model = nnxp.Sequential(
    [nnxp.Dense(2, 3), "tanh", nnxp.Dense(3, 2), "softmax"], "categorical_crossentropy", nnxp.Adam(0.01), seed=0
)
mine = nnxp.explain(model, X[:2], y[:2])
print("\n".join(str(mine).splitlines()[:25]))
