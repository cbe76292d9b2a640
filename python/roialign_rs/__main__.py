"""The command line, ``python -m roialign_rs``. Each subcommand has a function in `COMMANDS`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roialign_rs import __version__, _picture, explain
from roialign_rs._bench import cli as bench

Subcommands = Any
"""Type of the result of `argparse.ArgumentParser.add_subparsers`, which has no public name."""


def add_explain(subcommands: Subcommands) -> None:
    """Add the subcommand ``explain``, which shows what both operators do to one box of a picture."""
    parser = subcommands.add_parser(
        "explain",
        help="show what RoI pooling and RoI Align do to one box of a picture",
        description="Take the block means of a picture as a feature map and show what RoI pooling and RoI Align do to "
        "one box: in words, and with --save as a picture.",
    )
    add = parser.add_argument
    image = "a picture, in any format that Pillow reads (default: a photograph that Matplotlib ships)"
    add("image", nargs="?", metavar="IMAGE", type=Path, help=image)
    add("--box", nargs=4, type=float, required=True, metavar=("X1", "Y1", "X2", "Y2"), help="two corners, in pixels")
    add("--stride", type=_positive, default=32, metavar="N", help="pixels per map cell (32)")
    add("--output-size", type=_size, default=(3, 3), metavar="SIZE", help="bins: 3, or 2x5 for 2 high, 5 wide (3)")
    add("--sampling-ratio", type=_size, default=(0, 0), metavar="SIZE", help="samples per bin; 0: one per cell (0)")
    add("--sample-points", choices=("center", "interior"), default="center", help="where samples are in a bin (center)")
    add(
        "--quantization",
        choices=("caffe", "mmcv", "floor", "truncate"),
        default="caffe",
        help="how RoI pooling rounds (caffe)",
    )
    add("--aligned", action=argparse.BooleanOptionalAction, default=True, help="shift RoI Align by half a cell (on)")
    add("--save", type=_picture_file, metavar="PICTURE", help="also write a picture, as .png, .svg, .pdf or .jpg")
    parser.set_defaults(run=run_explain, parser=parser)


def run_explain(arguments: argparse.Namespace) -> None:
    """Print the explanation of one box, and save its picture if requested."""
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
    """Add the subcommand ``bench``, which times the operators and other libraries."""
    parser = subcommands.add_parser("bench", help="time the operators beside other libraries that are installed")
    bench.add_arguments(parser)
    parser.set_defaults(run=bench.run, parser=parser)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _picture_file(text: str) -> Path:
    path = Path(text)
    if not path.suffix:
        raise argparse.ArgumentTypeError(f"must be a file name with an extension, such as {text}.png, got {text!r}")
    return path


def _size(text: str) -> tuple[int, int]:
    """Parse "3" as 3 x 3, and "2x5" as height 2 and width 5."""
    try:
        numbers = [int(part) for part in text.split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise argparse.ArgumentTypeError(f"must be an integer such as 3, or height x width such as 2x5, got {text!r}")
    return numbers[0], numbers[-1]


COMMANDS = (add_explain, add_bench)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one subcommand.

    An error of the user prints one line and exits with status 2. A closed pipe exits with status 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m roialign_rs", description="RoI pooling and RoI Align, explained and timed."
    )
    parser.add_argument("--version", action="version", version=f"roialign_rs {__version__}")
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
