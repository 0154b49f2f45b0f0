"""Released Unified-IO 2 networks as agents: the robots that they were trained on, and checkpoints made of both.

A robot is one file in `robots/`. It says how the paper's data sets write observations, histories and actions (paper,
appendices B.1 and D.10). What is not published is stated there as an assumption.
"""
