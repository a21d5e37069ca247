"""Models as ONNX files: a list of operators, chosen by what the runtimes really compute."""
