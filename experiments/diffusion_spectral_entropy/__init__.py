"""Diffusion spectral entropy of neural representations during training (arXiv 2312.04823)."""
