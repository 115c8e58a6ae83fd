"""Models of music outside torch: as ONNX graphs, and computed by NumPy."""
