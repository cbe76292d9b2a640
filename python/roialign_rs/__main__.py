"""The command line, ``python -m roialign_rs``: one function per subcommand, listed in `COMMANDS`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roialign_rs import _picture, explain
from roialign_rs._bench import cli as bench

Subcommands = Any
"""What `argparse.ArgumentParser.add_subparsers` returns; its type has no public name."""


def add_explain(subcommands: Subcommands) -> None:
    """Add ``explain``, which shows what both operators do to one box of a picture."""
    parser = subcommands.add_parser(
        "explain",
        help="show what RoI pooling and RoI Align do to one box of a picture",
        description="Take the block means of a picture as a feature map and show what RoI pooling and RoI Align do to "
        "one box: in words, and with --save as a picture.",
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", type=Path, help="a picture, in any format that Pillow reads")
    add("--box", nargs=4, type=float, required=True, metavar=("X1", "Y1", "X2", "Y2"), help="corners, in pixels")
    add("--stride", type=_positive, default=32, metavar="N", help="pixels per cell of the map (32)")
    add("--output-size", type=_size, default=(3, 3), metavar="SIZE", help="bins, 3 or 2x5 for height x width (3)")
    add("--sampling-ratio", type=_size, default=(0, 0), metavar="SIZE", help="points per bin; 0: one per cell (0)")
    add("--sample-points", choices=("center", "interior"), default="center", help="their places in a bin (center)")
    add("--quantization", choices=("caffe", "mmcv", "floor", "truncate"), default="caffe", help="(caffe)")
    add("--aligned", action=argparse.BooleanOptionalAction, default=True, help="half-pixel shift in RoI Align (on)")
    add("--save", type=_picture_file, metavar="PICTURE", help="write a picture too; its ending chooses the format")
    parser.set_defaults(run=run_explain, parser=parser)


def run_explain(arguments: argparse.Namespace) -> None:
    """Print the explanation of one box, and save its picture if asked to."""
    picture = _picture.read(arguments.image)
    explanation = explain(
        arguments.box,
        arguments.output_size,
        spatial_scale=1 / arguments.stride,
        sampling_ratio=arguments.sampling_ratio,
        aligned=arguments.aligned,
        sample_points=arguments.sample_points,
        quantization=arguments.quantization,
        features=_picture.block_means(picture.luminance, arguments.stride),
    )
    if arguments.save:
        _picture.plot_on_picture(explanation, picture.pixels).savefig(arguments.save, dpi=110)
    print(explanation)
    if arguments.save:
        print(f"\nwrote {arguments.save}")


def add_bench(subcommands: Subcommands) -> None:
    """Add ``bench``, which times the operators beside other libraries."""
    parser = subcommands.add_parser("bench", help="time the operators beside other libraries that are installed")
    bench.add_arguments(parser)
    parser.set_defaults(run=bench.run, parser=parser)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _picture_file(text: str) -> Path:
    path = Path(text)
    if not path.suffix:
        raise argparse.ArgumentTypeError(f"expected a name with an ending, such as {text}.png, got {text!r}")
    return path


def _size(text: str) -> tuple[int, int]:
    """Read "3" as 3 x 3 and "2x5" as 2 high, 5 wide."""
    try:
        numbers = [int(part) for part in text.split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise argparse.ArgumentTypeError(f"expected a number such as 3 or height x width such as 2x5, got {text!r}")
    return numbers[0], numbers[-1]


COMMANDS = (add_explain, add_bench)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one subcommand.

    A user's error prints one line and exits with status 2; a closed pipe exits silently with status 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m roialign_rs", description="RoI pooling and RoI Align, explained and timed."
    )
    subcommands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(subcommands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
        print(end="", flush=True)  # unlike sys.stdout.flush(), also without a stdout
    except BrokenPipeError:
        # The reader (such as head) closed the pipe. Python flushes again at exit: send that to devnull.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ImportError, OSError, ValueError) as error:
        arguments.parser.exit(2, f"{arguments.parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
