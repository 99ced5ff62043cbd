"""Estimators of mutual information on the forty tasks of "Beyond Normal", and on digits.

Czyż, Grabowski, Vogt, Beerenwinkel and Marx, NeurIPS 2023, arXiv 2306.11078.
"""
