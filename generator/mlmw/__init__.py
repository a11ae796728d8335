"""mlmw: a tested machine-learning project from one command."""

__version__ = "0.1.0"
