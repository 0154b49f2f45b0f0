"""What goes into the network: images, sound and video, read and made into the arrays of a batch."""
