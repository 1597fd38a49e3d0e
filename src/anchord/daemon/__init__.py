"""The daemon: composition and life cycle, its log, its counters, and its control socket."""
