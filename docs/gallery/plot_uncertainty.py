"""
How sure is it? Several members of a regression
===============================================

Networks that differ only in their random beginnings agree where there are data, and go apart where there are none.
Ten of them, trained side by side in one fit, give a mean, a spread (``predict_std``), and intervals that hold a share
of new rows (``predict_interval``).
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

draws = np.random.default_rng(0)
x = np.concatenate([draws.uniform(-4, 0, 250), draws.uniform(3, 6, 250)])[:, None]  # nothing between 0 and 3
y = np.sin(x[:, 0]) + 0.15 * draws.standard_normal(500)

model = nnxp.MLPRegressor(
    hidden_layer_sizes=(32, 32),
    learning_rate_init=0.01,
    max_iter=500,
    early_stopping=True,
    n_iter_no_change=30,
    members=10,
    random_state=0,
).fit(x, y)

# %%
# The spread of the members is small where there were data and large elsewhere. An interval adds the noise: it is
# calibrated on rows that the fit held out.

line = np.linspace(-7, 9, 241)[:, None]
mean, spread = model.predict(line), model.predict_std(line)
low, high = model.predict_interval(line, level=0.9)
for where in (-2.0, 1.5, 4.0, 9.0):
    print(f"at {where:+.1f} the members' standard deviation is {model.predict_std([[where]])[0]:.3f}")

figure, axes = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
axes.fill_between(line[:, 0], low, high, alpha=0.2, label="interval for 90 %")
axes.fill_between(line[:, 0], mean - spread, mean + spread, color="C1", alpha=0.5, label="members' spread")
axes.plot(x, y, ".", color="gray", markersize=3, label="rows")
axes.plot(line, mean, "C1", linewidth=2, label="mean")
axes.plot(line, np.sin(line), "k--", linewidth=1, label="truth")
axes.set(xlabel="x", ylim=(-3, 3))
axes.legend(fontsize=9, ncols=2, loc="lower center")
plt.show()

# %%
# Where all members go on in the same wrong direction, as on the far left, they agree, and are wrong: agreement is no
# proof. What is promised is about new rows from where the data came from. Is it kept? (50 rows calibrate the intervals
# here, and they chose the epoch, too; a few per cent are to be expected.)

x_new = np.concatenate([draws.uniform(-4, 0, 2000), draws.uniform(3, 6, 2000)])[:, None]
y_new = np.sin(x_new[:, 0]) + 0.15 * draws.standard_normal(4000)
for level in (0.5, 0.8, 0.9):
    low, high = model.predict_interval(x_new, level=level)
    print(f"{level:.0%} asked for: {np.mean((low <= y_new) & (y_new <= high)):.1%} of new rows lie within")
