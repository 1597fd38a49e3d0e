"""The operating system: anchord as its service and its resolver, and everything put back."""
