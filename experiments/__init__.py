"""Experiments that re-measure published claims, one package a paper, run from a checkout."""
