"""Evaluation of networks on annotated files: suites, answers, figures with intervals, a page of examples."""
