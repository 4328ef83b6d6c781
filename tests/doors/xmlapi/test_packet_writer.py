from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from innkeeper.doors.xmlapi.writer import DECLARATION, Writer, escape

FORBIDDEN = {chr(c) for c in range(32) if chr(c) not in "\t\n\r"} | {"\ufffe", "\uffff"}

names = st.text("abyz019_-", max_size=8).map("a".__add__)
texts = st.text(st.characters(), max_size=40)
trees = st.recursive(
    st.tuples(names, texts), lambda children: st.tuples(names, st.lists(children, max_size=4)), max_leaves=25
)


def written(tree: object, *, pretty: bool) -> bytes:
    writer = Writer(pretty=pretty)

    def write(node: object) -> None:
        tag, content = node
        if isinstance(content, str):
            writer.leaf(tag, content)
            return
        with writer.element(tag):
            for child in content:
                write(child)

    with writer.element("packet", ' version="1.6.9.1"'):
        write(tree)
    file, length = writer.finish()
    with file:
        content = file.read()
    assert len(content) == length
    return content


def allowed(text: str) -> str:
    return "".join(c for c in text if c not in FORBIDDEN and not "\ud800" <= c <= "\udfff")


def same(node: object, element: etree._Element) -> None:
    tag, content = node
    assert element.tag == tag
    if isinstance(content, str):
        assert len(element) == 0
        assert (element.text or "") == allowed(content)
    else:
        assert len(element) == len(content)
        for child, child_element in zip(content, element, strict=True):
            same(child, child_element)


@given(trees)
def test_lxml_reads_back_what_was_written(tree: object) -> None:
    same(tree, etree.fromstring(written(tree, pretty=False))[0])


@given(trees)
def test_pretty_printing_changes_no_text(tree: object) -> None:
    same(tree, etree.fromstring(written(tree, pretty=True))[0])


@given(texts)
def test_escaping_keeps_every_allowed_character(text: str) -> None:
    assert (etree.fromstring(f"<a>{escape(text)}</a>").text or "") == allowed(text)


def test_a_document_begins_with_the_declaration() -> None:
    assert written(("a", "x"), pretty=False).decode() == (DECLARATION + '<packet version="1.6.9.1"><a>x</a></packet>\n')


def test_pretty_printing_puts_one_element_on_a_line() -> None:
    tree = ("mail", [("get", []), ("result", [("status", "ok"), ("text", "two\nlines"), ("none", "")])])
    assert written(tree, pretty=True).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<packet version="1.6.9.1">\n  <mail>\n    <get/>\n    <result>\n'
        "      <status>ok</status>\n      <text>two\nlines</text>\n      <none/>\n    </result>\n  </mail>\n</packet>\n"
    )


def test_rewinding_forgets_what_came_after_the_mark_even_when_it_went_to_the_file() -> None:
    writer = Writer()
    with writer.element("packet"):
        writer.leaf("kept", 1)
        mark = writer.mark()
        with writer.element("lost"):
            for number in range(100_000):
                writer.leaf("number", number)
            writer.rewind(mark)
        # The element that was open is forgotten with its content.
        writer.rewind(mark)
        writer.leaf("after", True)
    with writer.finish()[0] as file:
        assert file.read().decode() == DECLARATION + "<packet><kept>1</kept><after>true</after></packet>\n"
