"""Results have the same bits whether they are streamed or not, at any address, for any number of channels and bins."""

import layouts
import numpy as np
import pytest
from streams import DTYPES, STREAMED, Stream

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_layout = pytest.mark.parametrize("layout", ["NCHW", "NHWC"])


@every_layout
@every_dtype
def test_any_address(dtype, layout):
    """Aligned and misaligned results, just too small to be streamed and just large enough."""
    for offset in range(0, 64, 1 if dtype == "float32" else 5):
        stream = Stream(dtype, layout, 17 + offset % 3, (7, 7), offset)
        most = stream.boxes_for(STREAMED)
        stream.check_at(most + 1, offset)
        if offset % 4 == 0:
            stream.check_at(most, offset)


FEW = (1, 3, 8, 16, 17, 33)
SHAPES = [((bins, 1) if bins % 2 else (1, bins), FEW if bins > 3 else FEW[2:]) for bins in range(1, 9)]
SHAPES += [
    ((2, 3), FEW),
    ((14, 14), FEW),
    ((16, 16), FEW),
    ((1, 257), FEW),
    ((257, 1), FEW),
    ((7, 7), tuple(range(1, 34))),
]


@every_layout
@pytest.mark.parametrize(("size", "channels"), SHAPES, ids=[f"{size[0]}x{size[1]}" for size, _ in SHAPES])
def test_any_number_of_channels_and_bins(size, channels, layout):
    """Numbers around blocks of 16 channels, blocks of 8 bins, and the 256 bins that are written together."""
    for count in channels:
        dtype = list(DTYPES)[count % len(DTYPES)]
        stream = Stream(dtype, layout, count, size, sum(size) + count // len(DTYPES))
        stream.check_at(stream.boxes_for(STREAMED) + 1, 16 * (count % 5))


@every_layout
@every_dtype
def test_any_strides(dtype, layout):
    """The elements between those of the result keep what they had."""
    for number, arrange in enumerate([*layouts.LAYOUTS, inside_more_channels]):
        stream = Stream(dtype, layout, 19, (7, 7), number)
        count = stream.boxes_for(STREAMED) + 1
        expected = stream.expected(count)
        out = arrange(np.full(expected.shape, 77, expected.dtype))
        stream.run(count, out)
        np.testing.assert_array_equal(out, expected, err_msg=f"{stream.about} {arrange.__name__}")
        if out.base is not None and arrange in (layouts.part_of_larger, layouts.every_other, inside_more_channels):
            untouched = 77 if arrange is inside_more_channels else 0
            out[...] = untouched
            assert (out.base == untouched).all(), f"{stream.about} {arrange.__name__}: written between"


def inside_more_channels(array):
    """Dense maps, with a gap after the channels of each box."""
    wide = np.full((array.shape[0], array.shape[1] + 5, *array.shape[2:]), 77, array.dtype)
    part = wide[:, 2:-3]
    part[...] = array
    return part


@every_dtype
def test_pixels_of_whole_cache_lines(dtype):
    """Pairs of blocks, an odd block, and cache lines that hold the end of one pixel and the start of the next."""
    for channels, offset in [
        (64, 0),
        (80, 0),
        (72, 0),
        (96, 32),
        (64, 16),
        (128, 40),
        (80, 8),
        (32, 48),
        (96, 4),
        (64, 3),
    ]:
        stream = Stream(dtype, "NHWC", channels, (7, 7), channels + offset)
        stream.check_at(stream.boxes_for(STREAMED) + 1, offset)
    for size, offset in [((17, 17), 0), ((1, 257), 16), ((1, 1), 16)] if dtype != "float64" else []:
        stream = Stream(dtype, "NHWC", 64, size)
        stream.check_at(stream.boxes_for(STREAMED) + 1, offset)
