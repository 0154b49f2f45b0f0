"""Meta-World: the 50 tasks of version 3 as gymnasium environments, and its scripted experts."""
