"""A network for others: as the source of a torch.nn.Module, or as ONNX."""
