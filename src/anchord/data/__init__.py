"""Files that the build copies here: the root trust anchors (their home is `trust-anchors/`)."""
