"""Draws the states of docs/replication.md from their tables: `python -m tests.diagrams`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from memrep.replication.membership import peer_process, state
from memrep.replication.membership.transitions import mermaid

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "replication.md"

DIAGRAMS: Final = {
    "status": mermaid(state.EDGES, state.Status.STARTING),
    "liveness": mermaid(peer_process.EDGES, peer_process.Liveness.UNKNOWN),
}


def drawn(text: str) -> str:
    """A page with its diagrams as they are now."""
    for name, diagram in DIAGRAMS.items():
        block = f"<!-- {name} -->\n```mermaid\n{diagram}\n```\n<!-- end -->"
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, new=block: new, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
