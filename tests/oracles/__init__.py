"""Literal definitions of the operators, one in each file, as truth for the tests.

Written from the definition: box by box, bin by bin, sample by sample. Coordinates, bin edges and sample counts are
computed in the dtype of the boxes, because ``ceil`` and ``floor`` depend on it; weights are float64. Options are those
of the operator's public function, with its defaults.
"""
