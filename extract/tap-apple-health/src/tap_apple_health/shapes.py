"""The fast way: elements of one shape differ in the values of their attributes only.

A piece of the export is cut at its quotes. What is not a value is its shape: the tags, the names, their order. Each
shape is read with expat once, with marks for the values; that gives the texts between which the values of every
further piece of this shape are put. So the fast way says of an element what the exact way would say (`elements`).
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING

from tap_apple_health.elements import Element, ElementError, parse
from tap_apple_health.identity import DATE_NAMES, own_text
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MARK = re.compile(rb"@@(\d+)@@")


class Shape:
    """What the pieces of one shape have in common: an element, or one inside it.

    Attributes:
        own: How its text for the identity begins.
        get: Gives its values in the order of their names.
        children: Shapes of the elements inside.
        fields: Names of the record's members.
        literals: The texts between the values of the record's JSON.
        dates: Which values of the record are dates.
        perhaps_dates: Which values may be dates.
        device: Which value is the device; -1 if none.
    """

    __slots__ = ("children", "dates", "device", "fields", "get", "literals", "own", "perhaps_dates")

    def __init__(self, element: Element, literals: list[bytes], record: Shape | None = None) -> None:
        """Make the shape of *element*, whose values are marks.

        Args:
            element: The element.
            literals: Of the record's JSON.
            record: The shape that it is inside of.
        """
        record = record or self
        if record is self:
            self.fields = frozenset(element.record())
            self.literals = literals
            self.dates: list[int] = []
            self.perhaps_dates: list[int] = []
            self.device = -1
        name = element.name.encode()
        places = {key.encode(): int(mark.strip("@")) for key, mark in element.attributes.items()}
        for key, place in places.items():
            if key in DATE_NAMES:
                record.dates.append(place)
            elif key == b"value" and name == b"MetadataEntry":
                record.perhaps_dates.append(place)
            elif key == b"device":
                record.device = place
        names = sorted(places)
        self.own = own_text(name, names)
        self.get = _getter([places[key] for key in names])
        self.children = [Shape(child, literals, record) for child in element.children]

    def text(self, values: Sequence[bytes]) -> bytes:
        """Return the text for the identity; in *values* dates are instants and devices stripped."""
        text = self.own + b"\x1f".join(self.get(values))
        return self.with_children(text, values) if self.children else text

    def with_children(self, text: bytes, values: Sequence[bytes]) -> bytes:
        """Return its own *text* with those of the elements inside; see `identity.element_text`."""
        inner = [child.text(values) for child in self.children]
        inner.sort()
        return b"%b\x02%b\x03" % (text, b"\x03\x02".join(inner))


def make_shape(fixed: Sequence[bytes]) -> Shape | None:
    """Make a shape of the parts of a piece that are no values; None: only the exact way does it justice.

    That is so where the parts are no single well-formed element, or where its JSON has the values in another order
    (children of one kind with others in between).
    """
    piece = b"".join(b'%b"@@%d@@"' % (part, place) for place, part in enumerate(fixed[:-1])) + fixed[-1]
    if any(b"'" in part or b"@@" in part for part in fixed):
        return None
    try:
        (element,) = parse(piece)
    except (ElementError, ValueError):
        return None
    if _count(element) != len(fixed) - 1 or _texts(element) or _devices(element) > 1:
        return None
    text = dumps(element.record())
    if [int(place) for place in _MARK.findall(text)] != list(range(len(fixed) - 1)):
        return None
    return Shape(element, _MARK.sub(b"\x00", text).split(b"\x00"))


def _getter(places: list[int]) -> Callable[[Sequence[bytes]], Sequence[bytes]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[place] for place in places]


def _count(element: Element) -> int:
    return len(element.attributes) + sum(_count(child) for child in element.children)


def _texts(element: Element) -> bool:
    return bool(element.text.strip()) or any(_texts(child) for child in element.children)


def _devices(element: Element) -> int:
    return ("device" in element.attributes) + sum(_devices(child) for child in element.children)
