"""The training: how a model is fitted, evaluated and asked to predict."""
