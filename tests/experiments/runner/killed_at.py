"""Runs the tiny experiment and kills it, by SIGKILL, just before its n-th write to the disk."""

import itertools
import os
import runpy
import signal
import sys


def kill_at(limit):
    calls = itertools.count(1)

    def counted(function):
        def call(*arguments, **keywords):
            if next(calls) == limit:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return call

    for name in ("replace", "rename", "fsync", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))


if __name__ == "__main__":
    kill_at(int(sys.argv.pop(1)))
    runpy.run_module("tests.experiments.tiny_experiment", run_name="__main__", alter_sys=True)
