"""Values, gradients and argmax of any operator, derived from what its definition reads.

A definition (one file in ``oracles/``) says for each box which pixels it reads, with which weights. The functions here
turn that into results. They name no operator, and everything is float64.

Two rules hold everywhere. A tap of weight 0 is not read, so NaN and infinity do not pass through it. They pass through
every other tap.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass
class Reading:
    """What one box reads: candidates, and the taps (pixel, weight) of each.

    The value of a candidate is the sum of weight times pixel over its taps. A mean has one candidate in each bin, and
    its value is the result. A maximum has any number of candidates in a bin, and the result is the largest value.
    """

    bin: np.ndarray
    """(candidates,): the bin ``p * PW + q`` that each candidate belongs to, ascending."""
    name: np.ndarray | None
    """(candidates,): the number by which argmax names a candidate; None for a mean."""
    candidate: np.ndarray
    """(taps,): the candidate that each tap belongs to."""
    pixel: np.ndarray
    """(taps,): the pixel ``y * W + x``."""
    weight: np.ndarray
    """(taps,)"""
    slopes: np.ndarray | None = None
    """(4, taps): the derivatives of the weight with respect to x1, y1, x2 and y2; None for a maximum."""
    lower_limit: float | None = None
    """Only candidates above this limit compete, so NaN does not. If none does, the maximum is the limit and argmax is -1.
    Without a limit all candidates compete, and NaN wins. A bin that has no candidate at all is 0, and its argmax -1."""


def mean(ys, xs, width):
    """Combine two axes into means: the weight of a pixel is the product of its row's and its column's weight.

    Each axis is a list of bins; a bin is a list of taps ``(pixel, weight, first, last)``, where ``first`` and ``last``
    are the derivatives of the weight with respect to the two ends of the box.
    """
    kind = [("bin", int), ("pixel", int), ("weight", float), ("first", float), ("last", float)]
    y, x = (np.array([(i, *tap) for i, taps in enumerate(bins) for tap in taps], kind) for bins in (ys, xs))
    y = y[:, None]
    slopes = [y["weight"] * x["first"], y["first"] * x["weight"], y["weight"] * x["last"], y["last"] * x["weight"]]
    return Reading(
        bin=np.arange(len(ys) * len(xs)),
        name=None,
        candidate=(y["bin"] * len(xs) + x["bin"]).ravel(),
        pixel=(y["pixel"] * width + x["pixel"]).ravel(),
        weight=(y["weight"] * x["weight"]).ravel(),
        slopes=np.reshape(slopes, (4, -1)),
    )


def maximum(ys, xs, width, *, corners=False, lower_limit=None):
    """Combine two axes into maxima: each pair of a row's sample and a column's sample is a candidate.

    Each axis is a list of bins, a bin is a list of samples, and a sample is a list of taps ``(pixel, weight)``.
    Candidates are numbered within their bin, rows first. With ``corners``, each product of two taps is a candidate of
    its own: four for each pair of samples.
    """
    kind = [("bin", int), ("sample", int), ("tap", int), ("pixel", int), ("weight", float)]
    y, x = (
        np.array(
            [
                (i, a, b, *tap)
                for i, samples in enumerate(bins)
                for a, taps in enumerate(samples)
                for b, tap in enumerate(taps)
            ],
            kind,
        )
        for bins in (ys, xs)
    )
    y = y[:, None]
    rows, columns = (np.array([len(samples) for samples in bins]) for bins in (ys, xs))
    counts = np.outer(rows, columns).ravel() * (4 if corners else 1)
    start = np.cumsum(counts) - counts
    bin_ = np.repeat(np.arange(len(counts)), counts)
    number = y["sample"] * columns[x["bin"]] + x["sample"]
    if corners:
        number = 4 * number + 2 * y["tap"] + x["tap"]
    return Reading(
        bin=bin_,
        name=np.arange(len(bin_)) - start[bin_],
        candidate=(start[y["bin"] * len(xs) + x["bin"]] + number).ravel(),
        pixel=(y["pixel"] * width + x["pixel"]).ravel(),
        weight=(y["weight"] * x["weight"]).ravel(),
        lower_limit=lower_limit,
    )


@dataclass
class Pooled:
    """What an operator returns, and the candidates that its maxima were taken over."""

    output: np.ndarray
    """(K, C, PH, PW)"""
    argmax: np.ndarray | None
    """(K, C, PH, PW), int64; None for means."""
    candidates: dict[tuple[int, int, int], np.ndarray]
    """(k, p, q) -> (C, candidates): the values of the bin's candidates, in order; empty for means."""


@dataclass
class BoxGradient:
    """The gradient for the boxes, and what its tests need to know of it."""

    gradient: np.ndarray
    """(K, 4)"""
    terms: np.ndarray
    """(K, 4): the sum of the absolute values of all terms of the gradient."""
    reads: np.ndarray
    """(N, H, W) bool: the pixels that take part."""


@dataclass(frozen=True)
class Oracle:
    """A definition, and the results that follow from it. Arguments are those of the operator's public functions."""

    read: Callable[..., Iterator[Reading]]
    """``(boxes, (PH, PW), (H, W), **options)`` -> what each box reads."""

    def forward(self, features, boxes, output_size, *, batch_indices=None, **options) -> Pooled:
        """Values of all bins, and where maxima came from."""
        bins, size = pair(output_size), np.shape(features)[2:]
        outputs, numbers, candidates = [], [], {}
        for k, reading in enumerate(self.read(np.asarray(boxes), bins, size, **options)):
            image = flat(features[image_of(batch_indices, k)])
            read = np.flatnonzero(reading.weight)
            terms = reading.weight[read] * image[:, reading.pixel[read]].astype(np.float64)
            values = sums(terms, reading.candidate[read], len(reading.bin))
            if reading.name is not None:
                limits = np.searchsorted(reading.bin, np.arange(bins[0] * bins[1] + 1))
                parts = [slice(*ends) for ends in pairwise(limits)]
                for b, part in enumerate(parts):
                    candidates[k, b // bins[1], b % bins[1]] = values[:, part]
                largest = [largest_candidate(reading, values, part) for part in parts]
                values, number = (np.stack(each, axis=1) for each in zip(*largest, strict=True))
                numbers.append(number.reshape(-1, *bins))
            outputs.append(values.reshape(-1, *bins))
        return Pooled(np.array(outputs), np.array(numbers) if numbers else None, candidates)

    def backward(self, grad_output, boxes, input_shape, *, batch_indices=None, argmax=None, **options) -> np.ndarray:
        """Gradient for the features: what a bin reads with a weight receives the bin's gradient times that weight."""
        gradient = np.zeros(input_shape)
        bins, size = np.shape(grad_output)[2:], input_shape[2:]
        for k, reading in enumerate(self.read(np.asarray(boxes), bins, size, **options)):
            taps = np.flatnonzero(reading.weight)
            bin_ = reading.bin[reading.candidate]
            if argmax is not None:
                chosen = flat(argmax[k])[:, bin_] == reading.name[reading.candidate]
                taps = np.flatnonzero(chosen.any(axis=0) & (reading.weight != 0))
            terms = reading.weight[taps] * flat(grad_output[k])[:, bin_[taps]].astype(np.float64)
            if argmax is not None:
                terms[~chosen[:, taps]] = 0
            of_image = flat(gradient[image_of(batch_indices, k)])
            of_image += sums(terms, reading.pixel[taps], of_image.shape[1])
        return gradient

    def box_gradient(self, grad_output, features, boxes, *, batch_indices=None, **options) -> BoxGradient:
        """Gradient for x1, y1, x2 and y2 of each box, of a mean."""
        bins, size = np.shape(grad_output)[2:], np.shape(features)[2:]
        gradient, terms = np.zeros((2, len(boxes), 4))
        reads = np.zeros((len(features), *size), bool)
        for k, reading in enumerate(self.read(np.asarray(boxes), bins, size, **options)):
            image = image_of(batch_indices, k)
            pixels = flat(features[image])[:, reading.pixel].astype(np.float64)
            products = flat(grad_output[k])[:, reading.candidate] * pixels
            gradient[k] = reading.slopes @ products.sum(axis=0)
            terms[k] = np.abs(reading.slopes) @ np.abs(products).sum(axis=0)
            reads[image].flat[reading.pixel[np.any(reading.slopes != 0, axis=0)]] = True
        return BoxGradient(gradient, terms, reads)


def pair(value):
    """Height and width from one number or two."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def image_of(batch_indices, k):
    """The image that box ``k`` is on."""
    return 0 if batch_indices is None else batch_indices[k]


def flat(array):
    """(C, height * width) from (C, height, width), without a copy where that is possible."""
    return array.reshape(len(array), -1)


def largest_candidate(reading, values, part):
    """(C,) largest value of the candidates in ``part``, and the names of the first that have it."""
    values, names = values[:, part], reading.name[part]
    if len(names) == 0:
        return np.zeros(len(values)), np.full(len(values), -1)
    if reading.lower_limit is None:
        return values.max(axis=1), names[values.argmax(axis=1)]
    contenders = np.where(values > reading.lower_limit, values, -np.inf)
    best, none = contenders.max(axis=1), np.all(contenders == -np.inf, axis=1)
    return np.where(none, reading.lower_limit, best), np.where(none, -1, names[contenders.argmax(axis=1)])


def sums(terms, where, count):
    """(C, count): the columns of ``terms`` added up, each at its index in ``where``."""
    return np.array([np.bincount(where, row, count) for row in terms], np.float64).reshape(len(terms), count)
