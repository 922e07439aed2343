"""What nobody notices yet is told with its reason, its place and what to do there."""

from __future__ import annotations

from memrep.status.upkeep import lost_lines, refused_options, silent_old_store
from tests.unit.status.clusters import NAMES, changed_about, cluster, with_node


def test_a_node_that_goes_on_with_former_options_is_told_with_the_reason_and_two_commands() -> None:
    assert not list(refused_options(cluster()))
    status = with_node(cluster(), 2, about=changed_about(reload_refused="port needs a restart"))
    (problem,) = refused_options(status)
    assert (problem.kind, problem.nodes) == ("reload-refused", [NAMES[1]])
    assert problem.text.endswith("what was read anew will not do: port needs a restart")
    assert f"`memrep config --diff` on {NAMES[1].partition(':')[0]}" in problem.remedy
    assert "`memrep reload`" in problem.remedy


def test_lost_lines_are_counted() -> None:
    assert not list(lost_lines(cluster()))
    (problem,) = lost_lines(with_node(cluster(), 2, about=changed_about(log_lost=1_200)))
    assert problem.text == f"1,200 lines of the log of {NAMES[1]} could not be written"


def test_an_old_store_that_does_not_answer_logs_users_out() -> None:
    status = with_node(cluster(), 2, about=changed_about(old_store_silent="10.0.0.1:11211: refused"))
    (problem,) = silent_old_store(status)
    assert (problem.kind, problem.severity, problem.nodes) == ("old-store", "critical", [NAMES[1]])
    assert "10.0.0.1:11211: refused" in problem.text and "`memrep reload`" in problem.remedy
