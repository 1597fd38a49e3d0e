"""Measures anchord beside other resolvers on this machine: `python -m bench`.

Every part starts the same servers, asks them the same in turn (A B A B), and gives ratios to
Unbound in the same round: what the machine does otherwise moves both. The server that is measured
has one core to itself, everything else the other. Linux only, with two cores or more.
"""
