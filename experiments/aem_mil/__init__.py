"""Attention entropy maximisation for multiple-instance learning (arXiv 2406.15303)."""
