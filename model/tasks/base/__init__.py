"""Base classes of task families: the contract, the codec, and the kinds of answers that several families share."""
