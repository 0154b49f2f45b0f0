"""Training of towers before the network: the paper's come pre-trained, those of small networks learn from a corpus."""
