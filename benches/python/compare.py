"""Time everything there is to time, in groups, and hold the numbers against what they should be: for maintainers.

python benches/python/compare.py --help
python benches/python/compare.py --group must-hold --threads 2 --goals
"""

import argparse

from roialign_bench import cli


def main() -> None:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    arguments = parser.parse_args()
    try:
        cli.run(arguments)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
