"""A small signed internet of its own, good and broken, shipped with the product for trying it out.

`table` lists the zones and the verdicts that they must get, `world.World` makes and answers them,
`servers` puts a world on sockets. The tests use the very same. To add a zone, add a `Plan` to the
table; to add a way to be broken, add a function to `faults`.
"""
