"""What the metrics share: the interface, intervals, words, overlaps."""
