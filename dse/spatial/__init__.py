"""Mappings on any spatial hierarchy that a TOML file describes, for comparison with published designs: their costs are cited, not measured.

`Problem` is a layer's loops, `Hierarchy` the memories and arrays, `LoopNest` a mapping, `evaluate` its exact cost, `certify` the mapping of
least cost with its proof. What runs on our own grid is mapped by `gatewright.dse.mapper`.
"""
