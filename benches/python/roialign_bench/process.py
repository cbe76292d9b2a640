"""The parent's side of a `worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

WORKER = Path(__file__).with_name("worker.py")


class UnavailableError(Exception):
    """The worker cannot do what it was asked for on this machine."""


class Worker(AbstractContextManager["Worker"]):
    """A process that solves one row of the table.

    Parameters
    ----------
    row
        Its id.
    threads
        How many.
    level
        Instruction set; None for the default.
    widen
        Factor on the number of channels.
    save
        Where to write the result, as ``.npy``.

    Raises
    ------
    UnavailableError
        If this machine does not have the level.
    """

    def __init__(
        self, row: str, threads: int, *, level: str | None = None, widen: int = 1, save: Path | None = None
    ) -> None:
        request = {"row": row, "threads": threads, "widen": widen, "save": save and str(save)}
        environment = dict(os.environ)
        if level:
            environment["ROIALIGN_LEVEL"] = level
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(request)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = json.loads(self._line())
        if "error" in answer:
            self.__exit__(None, None, None)
            raise UnavailableError(answer["error"])
        self.level: str = answer["level"]
        #: Most bytes that the first call had beyond its input and output; None where the system does not tell.
        self.extra: int | None = answer["extra"]

    def sample(self) -> float:
        """Seconds of one call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with exit status {self._process.wait()}")
        return line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.communicate()
