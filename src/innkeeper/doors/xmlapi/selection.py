"""Filters of the general kind: which objects an operation is about, and one result for each.

Every child of a filter selects one object by its own key, or several by a parent's. What does not exist, or belongs to
somebody else, is a refusal in its place; an empty filter selects all that the caller may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from lxml import etree

from innkeeper.core.errors import NotFound, Refused
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.writer import Writer

CHUNK = 500


T = TypeVar("T", bound=Model)
Changes = TypeVar("Changes")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """A key that names one object itself. Many of a kind are looked up together.

    `fold` brings the filter's text into the form of the column, or answers None where nothing can match; `read` takes
    an object's own value in that form.
    """

    objects: QuerySet[T]
    column: str
    fold: Callable[[str], object | None]
    read: Callable[[T], object]
    missing: str


Parent = Callable[[str], Iterable[T]]
"""Finds what lies below a parent. Raises NotFound for a parent that does not exist."""
Kinds = Mapping[str, "Key[T] | Parent[T]"]


@dataclass(frozen=True, slots=True)
class Selected(Generic[T]):
    """One object, or the reason why there is none. `filter_id` is the text that selected it."""

    filter_id: str
    object: T | None = None
    error: Refused | None = None


def select(
    filter_: etree._Element | None, kinds: Kinds[T], everything: Callable[[], Iterable[T]]
) -> Iterator[Selected[T]]:
    """The objects of a filter in its order, of an empty filter by ascending id. A filter holds one kind of child."""
    if filter_ is None or len(filter_) == 0:
        for each in everything():
            yield Selected(str(each.pk), each)
        return
    kind = kinds[str(filter_[0].tag)]
    texts = [" ".join((child.text or "").split()) for child in filter_]
    if isinstance(kind, Key):
        for start in range(0, len(texts), CHUNK):
            yield from _look_up(kind, texts[start : start + CHUNK])
        return
    for text in texts:
        try:
            for each in kind(text):
                yield Selected(text, each)
        except Refused as error:
            yield Selected(text, error=error)


def _look_up(key: Key[T], texts: Sequence[str]) -> Iterator[Selected[T]]:
    folded = {text: key.fold(text) for text in texts}
    wanted = {value for value in folded.values() if value is not None}
    found = {key.read(each): each for each in key.objects.filter(**{f"{key.column}__in": wanted})}
    for text in texts:
        each = found.get(folded[text])
        yield Selected(text, each, None if each is not None else NotFound(key.missing))


def number(text: str) -> int:
    """A filter's id; 0, which nothing has, for what is no number of a row."""
    digits = text.removeprefix("+")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0


def head(call: Call, selected: Selected[T]) -> Callable[[], None]:
    """Writes `filter-id` and, for an object that exists, `id`."""

    def write() -> None:
        call.writer.leaf("filter-id", selected.filter_id)
        if selected.object is not None:
            call.writer.leaf("id", selected.object.pk)

    return write


def write_result(call: Call, selected: Selected[T], error: Refused | None = None) -> None:
    """The result of an operation that answers nothing but its success."""
    with call.result(error or selected.error):
        head(call, selected)()


def changing(read: Callable[[], Changes], change: Callable[[T, Changes], object]) -> Callable[[T], object]:
    """What `answer_each` does with an object: change it as the request says, which is read once.

    What makes the request unreadable is the refusal of every object that it selects.
    """
    try:
        changes = read()
    except Refused as error:
        refused = error

        def refuse(_: T) -> object:
            raise refused

        return refuse
    return lambda each: change(each, changes)


def answer_each(call: Call, selection: Iterable[Selected[T]], change: Callable[[T], object], *, empty: bool) -> None:
    """Change every selected object once, and answer each. `empty`: nothing selected is no result at all.

    The selection is made before anything changes.
    """
    done: set[int] = set()
    results = 0
    for selected in list(selection):
        error: Refused | None = None
        if selected.object is not None:
            if selected.object.pk in done:
                continue
            done.add(selected.object.pk)
            try:
                change(selected.object)
            except Refused as refused:
                error = refused
        write_result(call, selected, error)
        results += 1
    if not results and not empty:
        with call.result():
            pass


def answer_data(
    call: Call,
    selection: Iterable[Selected[T]],
    prepare: Callable[[Sequence[T]], Callable[[Writer, T], None]],
    *,
    empty: bool,
) -> None:
    """Answer each selected object with its data, some hundred at a time.

    `prepare` reads what the blocks of these objects need and returns what writes one object's blocks.
    """
    results = 0
    for chunk in _chunks(selection):
        write = prepare([selected.object for selected in chunk if selected.object is not None])
        for selected in chunk:
            results += 1
            with call.result(selected.error) as writer:
                head(call, selected)()
                if selected.object is not None:
                    write(writer, selected.object)
    if not results and not empty:
        with call.result():
            pass


def _chunks(selection: Iterable[Selected[T]]) -> Iterator[list[Selected[T]]]:
    chunk: list[Selected[T]] = []
    for selected in selection:
        chunk.append(selected)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
