"""It is the journal that reads if the kernel says so, too."""

from __future__ import annotations

import os

from memrep.daemon.journal import is_journal


def test_it_is_the_journal_only_if_the_kernel_says_so() -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    here = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    assert is_journal(writer, here)
    assert not is_journal(reader, {"JOURNAL_STREAM": "1:2"})
    assert not is_journal(writer, {})
    os.close(reader)
    os.close(writer)
    assert not is_journal(writer, here)
