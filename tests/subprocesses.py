"""Code in a new Python process, for environment variables, limits and crashes."""

import os
import subprocess
import sys
from pathlib import Path


def python(code, timeout=240, **environment):
    """Run code and return what it printed. Of this library's environment variables, it sees only those given."""
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
