"""``python -m roialign_rs bench``: this machine's times, beside other libraries, each result checked first.

Nothing here is imported by ``import roialign_rs``. To read in this order: `workloads`, `problem`, `peers`, `timing`,
`session`, then any of `groups`.
"""
