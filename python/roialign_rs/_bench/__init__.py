"""``python -m roialign_rs bench``: the operators timed beside other libraries, each result compared first.

Nothing here is imported by ``import roialign_rs``. To read in this order: `workloads`, `problem`, `peers`, `timing`,
`compare`, `table`, `cli`. ``benches/python`` of the source distribution measures more, with these modules.
"""
