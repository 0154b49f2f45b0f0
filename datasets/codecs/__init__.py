"""Codecs of images and videos."""
