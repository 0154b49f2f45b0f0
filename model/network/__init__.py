"""The network: inputs, transformer, targets and loss."""
