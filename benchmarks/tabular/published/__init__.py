"""nnxp's networks for tables beside pytabkit's, by whose authors RealMLP is: equal steps, equal scores, and the time.

Each is a program of its own, for an environment that has pytabkit (PyTorch and Lightning, gigabytes) beside nnxp:

python -m benchmarks.tabular.published.equality    # 50 steps from the same weights on the same batches
python -m benchmarks.tabular.published.seconds     # all epochs of both presets, in turn, one thread; space on the disk
python -m benchmarks.tabular.published.paired      # five seeds on five tables: the differences of the scores
python -m benchmarks.tabular.published.ensembles   # eight networks of the default, and TabM, beside its TabM_D
"""
