"""Export a classifier to ONNX."""
