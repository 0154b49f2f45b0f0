"""Data sets prepared by TensorFlow Datasets: found by name, and read by tfds itself in a separate process."""
