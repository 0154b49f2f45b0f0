"""Speed and memory: suites that measure this code against what else does the same work."""
