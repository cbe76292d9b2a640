"""Time roi_align beside other libraries, and hold the numbers against the goals: ``python -m roialign_rs bench --goals``.

python benches/python/compare.py --group must-hold --threads 2
"""

import sys

from roialign_rs.__main__ import main

if __name__ == "__main__":
    main(["bench", "--goals", *sys.argv[1:]])
