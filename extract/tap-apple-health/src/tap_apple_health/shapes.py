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
from tap_apple_health.identity import DATE_NAMES, element_text, own_text
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MARK = re.compile(rb"@@(\d+)@@")


class Shape:
    """What the pieces of one shape have in common.

    Attributes:
        name: The element's name.
        fields: Names of its members.
        literals: The texts between the values of its JSON.
        dates: Which values are dates.
        perhaps_dates: Which values may be dates.
        device: Which value is the device; -1 if none.
    """

    __slots__ = (
        "_children",
        "_get",
        "_own",
        "dates",
        "device",
        "fields",
        "literals",
        "name",
        "perhaps_dates",
    )

    def __init__(self, element: Element, literals: list[bytes]) -> None:
        """Make the shape of *element*, whose values are marks."""
        self.name = element.name
        self.fields = frozenset(element.record())
        self.literals = literals
        self.dates: list[int] = []
        self.perhaps_dates: list[int] = []
        self.device = -1
        self._own, self._get, self._children = self._node(element)

    def _node(
        self, element: Element
    ) -> tuple[bytes, Callable[[Sequence[bytes]], Sequence[bytes]], list[Node]]:
        name = element.name.encode()
        places = {key.encode(): int(mark.strip("@")) for key, mark in element.attributes.items()}
        for key, place in places.items():
            if key in DATE_NAMES:
                self.dates.append(place)
            elif key == b"value" and name == b"MetadataEntry":
                self.perhaps_dates.append(place)
            elif key == b"device":
                self.device = place
        names = sorted(places)
        return (
            own_text(name, names),
            _getter([places[key] for key in names]),
            [Node(*self._node(child)) for child in element.children],
        )

    def identity_text(self, values: Sequence[bytes]) -> bytes:
        """Return the text for the identity; in *values* dates are instants and devices stripped."""
        text = self._own + b"\x1f".join(self._get(values))
        if not self._children:
            return text
        return b"%b\x02%b\x03" % (
            text,
            b"\x03\x02".join(sorted(child.text(values) for child in self._children)),
        )


class Node:
    """An element inside another one."""

    __slots__ = ("_children", "_get", "_own")

    def __init__(
        self, own: bytes, get: Callable[[Sequence[bytes]], Sequence[bytes]], children: list[Node]
    ) -> None:
        """Take its part of the shape."""
        self._own, self._get, self._children = own, get, children

    def text(self, values: Sequence[bytes]) -> bytes:
        """Return its text for the identity."""
        return element_text(self._own, self._get(values), [child.text(values) for child in self._children])


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
