"""What task augmentations share."""
