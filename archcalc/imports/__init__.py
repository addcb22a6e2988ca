"""Networks from elsewhere: a PyTorch module or an ONNX file to a Network; and any network by a reference."""
