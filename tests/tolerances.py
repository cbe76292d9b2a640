"""How far results may be from the truth, with the reason, in one table.

Bounds are relative to the largest finite absolute value of the features. For gradients of features it is that of the
gradient; for gradients of boxes, the sum of the absolute values of its terms.
"""

BOUNDS = {
    ("oracle", "float64"): (1e-12, "order of summation in float64"),
    ("oracle", "float32"): (2e-6, "weights, products and sums rounded in float32"),
    ("oracle", "exact"): (5e-7, "coordinates and weights are exact in float32, only products and sums are rounded"),
    ("oracle", "float16"): (2.0**-11 + 2e-6, "computed in float32, then rounded once: half an ulp of float16"),
    ("transpose", "float64"): (1e-12, "order of summation in float64"),
    ("transpose", "float32"): (2e-6, "weights, products and sums rounded in float32"),
    ("transpose", "float16"): (2.0**-11 + 2e-6, "added up in float32, then rounded once: half an ulp of float16"),
    ("box gradient", "float64"): (1e-14, "order of summation in float64; relative to the terms, because they cancel"),
    ("box gradient", "float32"): (5e-7, "products rounded in float32; relative to the terms, because they cancel"),
    ("box gradient of integrals", "float64"): (
        1e-12,
        "bin edges at up to 6000 cells are rounded; relative to the terms",
    ),
    ("box gradient of integrals", "float32"): (5e-7, "products rounded in float32; relative to the terms"),
    ("onnxruntime", "float32"): (2e-6, "the same positions, another order of summation"),
    ("onnxruntime", "float64"): (1e-12, "the same positions, another order of summation"),
    ("onnx", "float32"): (2e-6, "positions are rounded to float32 in another order"),
    ("openvino", "float32"): (1e-5, "positions are evaluated in another order, in float32"),
    ("torchvision", "float32"): (2e-6, "the same positions, another order of summation"),
    ("torchvision", "float64"): (1e-12, "the same positions, another order of summation"),
    ("torchvision gradient", "float32"): (5e-6, "the same weights, sums of hundreds of boxes in another order"),
    ("torchvision gradient", "float64"): (1e-12, "the same weights, another order of summation"),
    ("literal", "float32"): (5e-6, "some were found through a rotated operator, with positions in another order"),
    ("literal", "float64"): (1e-12, "the same positions, another order of summation"),
}
"""(what is compared with, dtype of the features) -> bound, reason."""

FLOAT16_SPACING = 2.0**-24
"""Spacing of the smallest float16 numbers, where no relative bound holds. Gradients of huge boxes are that small."""

EQUAL = (0.0, "the result is one of the pixels")


def bound_for(case, against="oracle"):
    """Bound and reason for a case of the registry."""
    if chooses_a_pixel(case):
        return EQUAL
    if against == "oracle" and case.exact and case.features_dtype == "float32":
        return BOUNDS["oracle", "exact"]
    return BOUNDS[against, case.features_dtype]


def chooses_a_pixel(case):
    """Whether the result is an unchanged pixel, so that any difference is an error."""
    return case.options.get("mode") in case.operator.copying_modes
