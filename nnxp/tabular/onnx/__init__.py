"""A table's model as one ONNX file: its columns in, the encoder, the network, and the target's own units out."""
