"""Nothing gets into a page unescaped, wherever it is put."""

from __future__ import annotations

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from memrep.page.html import element, join, text, void

EVIL = "<script>alert('x')</script>\" onload=\"y & z"
SAFE = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y &amp; z"


def test_text_is_escaped_in_an_element_and_in_an_attribute() -> None:
    assert text(EVIL) == SAFE
    assert element("p", EVIL) == f"<p>{SAFE}</p>"
    assert element("p", title=EVIL) == f'<p title="{SAFE}"></p>'
    assert void("meta", content=EVIL) == f'<meta content="{SAFE}">'
    assert join("a", EVIL) == f"a{SAFE}"


def test_markup_stays_markup_but_in_an_attribute() -> None:
    bold = element("b", "a & b")
    assert element("p", "x ", bold) == "<p>x <b>a &amp; b</b></p>"
    assert element("p", title=bold) == '<p title="&lt;b&gt;a &amp;amp; b&lt;/b&gt;"></p>'


def test_an_attribute_is_spelled_as_in_html_and_left_out_if_there_is_none() -> None:
    made = element("a", class_="b", aria_hidden="true", r=8, id=None)
    assert made == '<a class="b" aria-hidden="true" r="8"></a>'


def test_what_is_not_printed_or_turns_the_text_round_is_a_question_mark() -> None:
    assert text("a\x00b\x1b[0m\u202ec\ud800\n") == "a?b?[0m?c??"


@given(st.text())
def test_any_text_is_printed_as_it_is(words: str) -> None:
    made = text(words)
    assert not set("<>\"'") & set(made)
    assert unescape(made) == "".join(each if each.isprintable() else "?" for each in words)
    made.encode()
