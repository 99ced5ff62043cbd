"""The version of infojax; the build reads it from here and so does `infojax.__version__`."""

__version__ = "0.1.0"
