"""Compiled kernels: one folder an operation, one file an implementation."""
