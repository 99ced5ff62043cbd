"""Minimum-entropy coupling with a bottleneck, and rate-limited Markov coding games.

Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666.
"""
