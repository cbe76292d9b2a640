"""Python in a process of its own, for what can only be seen or set at the start of one."""

import os
import subprocess
import sys
from pathlib import Path


def python(code, timeout=240, **environment):
    """Run code with some environment variables, those of this library otherwise unset; give what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROIALIGN_")}
    inherited["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), inherited.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
