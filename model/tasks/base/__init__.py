"""What families are made of: the contract, the codec, and the kinds of answers that several families share."""
