"""Export of a network: as the source of a torch.nn.Module, or as ONNX."""
