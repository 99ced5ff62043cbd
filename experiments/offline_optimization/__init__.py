"""Offline optimisation with surrogates of bounded sharpness, IGNITE (arXiv 2503.04242)."""
