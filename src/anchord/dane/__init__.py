"""DANE: what a zone says about the certificates of its services, and whether they keep to it.

`tlsa`, `names`, `certificate`, `path`, `pkix` and `match` judge: data and the time in, a judgement
out. `lookup` asks the resolver, `probe` connects, with the dialogues of `starttls`; `check`,
`smtp`, `srv` and `lint` put them together, and `results` are the types that they return. Nothing
here reads the configuration.
"""
