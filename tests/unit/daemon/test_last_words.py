"""Last words are whole lines, whatever is in them, and no reader of them is waited for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from memrep.daemon.last_words import say


def test_whatever_is_in_a_line_it_can_be_said(capfd: pytest.CaptureFixture[str]) -> None:
    say("no file \udc80")
    assert capfd.readouterr().err == "no file \\udc80\n"


def test_nobody_has_to_hear_them() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from memrep.daemon.last_words import say; say('gone')"
    done = subprocess.run([sys.executable, "-c", code], stderr=writer, timeout=30, check=False)
    os.close(writer)
    assert done.returncode == 0


def test_the_journal_takes_them_for_an_error() -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    code = "from memrep.daemon.last_words import say; say('no file')"
    stream = f"{status.st_dev}:{status.st_ino}"
    subprocess.run(
        [sys.executable, "-c", code],
        stderr=writer,
        env=os.environ | {"JOURNAL_STREAM": stream},
        timeout=30,
        check=True,
    )
    assert os.read(reader, 100) == b"<3>no file\n"
    os.close(reader)
    os.close(writer)
