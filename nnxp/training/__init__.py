"""How a model is trained, evaluated and asked to predict.

`loop` goes over epochs and keeps the history; `batches` and `streams` give it what a step takes, checked and gathered,
a `batch` at a time; `plan` runs the step, in `stages` and a last one of `heads`, `penalties` beside them; `course`
knows where a fit stands and `resuming` takes it up again; `evaluation` and `prediction` train nothing; `progress` is
the bar. All of it takes the `Model` of `nnxp.network`.
"""
