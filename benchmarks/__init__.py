"""Benchmarks: success rates, latency, and reports of them."""
