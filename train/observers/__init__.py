"""Observers: what watches a run while it trains, without effect on its results."""
