"""anchord: a validating stub resolver for the loopback interface."""

__version__ = "0.1.0"
