"""Literal transposes of the operators, as truth for the tests of gradients.

The loops of ``oracles`` the other way round: what a bin reads with a weight receives the bin's gradient times that
weight. Everything but coordinates is float64. Arguments are those of the backward functions.
"""

import numpy as np
from oracles import (
    align_samples,
    align_start_and_side,
    caffe_edges,
    clipped,
    floor_edges,
    mmcv_edges,
    taps,
    truncate_edges,
)


def spread(grad_output, boxes, input_shape, batch_indices, bins_of_box, spread_bin):
    """Call ``spread_bin(image, gradient of a bin, its argmax' index, bin_y, bin_x)`` for each bin of each box."""
    images = np.zeros((input_shape[0], *input_shape[2:], input_shape[1]))
    grad_output, boxes = np.asarray(grad_output, np.float64), np.asarray(boxes)
    if batch_indices is None:
        batch_indices = np.zeros(len(boxes), np.int64)
    for k, box in enumerate(boxes):
        bins_y, bins_x = bins_of_box(box)
        for p, bin_y in enumerate(bins_y):
            for q, bin_x in enumerate(bins_x):
                index = (k, slice(None), p, q)
                spread_bin(images[batch_indices[k]], grad_output[index], index, bin_y, bin_x)
    return np.moveaxis(images, -1, 1)


def roi_align(
    grad_output,
    boxes,
    input_shape,
    *,
    batch_indices=None,
    spatial_scale=1.0,
    sampling_ratio=0,
    aligned=True,
    mode="avg",
    sample_points="center",
    argmax=None,
):
    """Gradient of RoI Align's mean or maximum."""
    height, width = input_shape[2:]
    bins = np.shape(grad_output)[2:]
    ratios = sampling_ratio if isinstance(sampling_ratio, tuple) else (sampling_ratio, sampling_ratio)

    def bins_of_box(box):
        x1, y1, x2, y2 = box
        y_start, y_side = align_start_and_side(y1, y2, spatial_scale, aligned)
        x_start, x_side = align_start_and_side(x1, x2, spatial_scale, aligned)
        ys = align_samples(y_start, y_side, bins[0], ratios[0], sample_points)
        xs = align_samples(x_start, x_side, bins[1], ratios[1], sample_points)
        return [[taps(y, height) for y in of_bin] for of_bin in ys], [[taps(x, width) for x in of_bin] for of_bin in xs]

    def corners(y_tap, x_tap):
        if y_tap is None or x_tap is None:
            return []
        return [(y, x, wy * wx) for y, wy in y_tap for x, wx in x_tap]

    def mean(image, grad, _, y_taps, x_taps):
        for y_tap in filter(None, y_taps):
            for x_tap in filter(None, x_taps):
                for y, x, weight in corners(y_tap, x_tap):
                    if weight != 0:
                        image[y, x] += grad * weight / (len(y_taps) * len(x_taps))

    def maximum(image, grad, index, y_taps, x_taps):
        each = 4 if mode == "onnx_max" else 1
        for channel, number in enumerate(argmax[index]):
            if number < 0:
                continue
            sample, corner = divmod(int(number), each)
            terms = corners(y_taps[sample // len(x_taps)], x_taps[sample % len(x_taps)])
            for y, x, weight in terms[corner : corner + 1] if each == 4 else terms:
                if weight != 0:
                    image[y, x, channel] += grad[channel] * weight

    spread_bin = mean if mode == "avg" else maximum
    return spread(grad_output, boxes, input_shape, batch_indices, bins_of_box, spread_bin)


def roi_pool(
    grad_output,
    boxes,
    input_shape,
    *,
    argmax=None,
    batch_indices=None,
    spatial_scale=1.0,
    mode="max",
    quantization="caffe",
):
    """Gradient of RoI pooling's maximum or mean."""
    height, width = input_shape[2:]
    bins = np.shape(grad_output)[2:]
    edges_of_axis = {
        "caffe": caffe_edges,
        "mmcv": mmcv_edges,
        "floor": floor_edges,
        "truncate": truncate_edges,
    }[quantization]

    def bins_of_box(box):
        x1, y1, x2, y2 = box
        ys = edges_of_axis(y1, y2, type(y1)(spatial_scale), bins[0])
        xs = edges_of_axis(x1, x2, type(x1)(spatial_scale), bins[1])
        return [clipped(edge, height) for edge in ys], [clipped(edge, width) for edge in xs]

    def mean(image, grad, _, y_range, x_range):
        window = image[slice(*y_range), slice(*x_range)]
        window += grad / max(window.shape[0] * window.shape[1], 1)

    def maximum(image, grad, index, y_range, x_range):
        for channel, pixel in enumerate(argmax[index]):
            if pixel >= 0:
                image[pixel // width, pixel % width, channel] += grad[channel]

    spread_bin = mean if mode == "avg" else maximum
    return spread(grad_output, boxes, input_shape, batch_indices, bins_of_box, spread_bin)
