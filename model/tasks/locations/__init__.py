"""Locations and other numbers as value tokens: points, boxes, keypoints, cuboids, poses."""
