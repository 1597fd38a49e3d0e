"""Bytes: DNS messages and RDATA, read and written without a library. No I/O."""
