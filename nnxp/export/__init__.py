"""Models for other runtimes: as ONNX files, a list of operators chosen by what they really compute; as PyTorch modules,
and these as models; as a file of NumPy alone."""
