"""Speed and memory: suites that compare this code with other code that does the same work."""
