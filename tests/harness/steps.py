"""What is made in steps (memrep/status/steps.py), made in one go: nobody waits in between here."""

from __future__ import annotations

from memrep.status.steps import Made, Steps


def at_once(steps: Steps[Made]) -> Made:
    """Take all steps, and return what has been made."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made
