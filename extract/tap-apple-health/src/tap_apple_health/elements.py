"""Elements of the export read with expat: exact, for whatever the fast way does not know.

Attributes become members under their own names, always text; children become arrays under their element's name, in
the order of the document. Nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from tap_apple_health.identity import DATE_NAMES, devices, element_text, instant, own_text
from tap_apple_health.mending import mend, restore

_DEEPEST = 50


class ElementError(ValueError):
    """A piece of the export is no XML; the message says which rule and never the content."""


@dataclass(slots=True)
class Element:
    """An element with its attributes and children.

    Attributes:
        name: Its name.
        attributes: In their order.
        children: In their order.
        text: What stands between the tags; the export has none.
    """

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def record(self) -> dict[str, Any]:
        """Return it as the payload."""
        record: dict[str, Any] = dict(self.attributes)
        for child in self.children:
            place = record.setdefault(child.name, [])
            if isinstance(place, list):
                place.append(child.record())
            else:  # an attribute has this name
                record.setdefault(f"<{child.name}>", []).append(child.record())
        if self.text.strip():
            record["#text"] = self.text
        return record

    def identity_text(self) -> bytes:
        """Return what `tap_apple_health.identity.identity` is computed from."""
        names = sorted(_bytes(name) for name in self.attributes)
        values = {_bytes(name): _bytes(value) for name, value in self.attributes.items()}
        return element_text(
            own_text(_bytes(self.name), names),
            [canonical(_bytes(self.name), name, values[name]) for name in names],
            [child.identity_text() for child in self.children]
            + ([_bytes(self.text)] if self.text.strip() else []),
        )


def canonical(element: bytes, name: bytes, value: bytes) -> bytes:
    """Return the value of an attribute as it counts for the identity."""
    if name in DATE_NAMES or (name == b"value" and element == b"MetadataEntry"):
        return instant(value)
    if name == b"device":
        return devices[value]
    return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def read_elements(piece: bytes) -> tuple[list[Element], bool]:
    """Read the elements that *piece* consists of.

    Characters that XML forbids, bare ``&`` and the like are mended before, and the characters put back afterwards.

    Returns:
        The elements, and whether something had to be mended.

    Raises:
        ElementError: It is no XML even so.
    """
    try:
        return parse(piece), False
    except ElementError:
        mended = mend(piece)
    elements = parse(mended)
    for element in elements:
        _restore(element)
    return elements, True


class OpenElement:
    """An element that was cut into pieces, until its end arrives.

    Each piece is parsed once. Content that XML forbids is mended for that, as in `read_elements`.
    """

    def __init__(self) -> None:
        """Start without a piece."""
        self._pieces: list[bytes] = []
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        # bytes of a comment or quoted text that has begun, which expat reads again with each call
        self._unfinished = 0
        self._depth = 0  # of the elements that are open, the parser's root included
        self._events = 0
        self._parser = _parser(self._start, self._end, self._text)
        self._parser.CommentHandler = self._no_element
        self._parser.ProcessingInstructionHandler = self._no_element
        self.size = 0
        self.is_broken = False

    def _start(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._events += 1
        if self._depth > _DEEPEST + 1:
            raise ElementError(f"elements deeper than {_DEEPEST}")

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._events += 1

    def _text(self, _content: str) -> None:
        pass

    def _no_element(self, *_content: str) -> None:
        self._events += 1

    @property
    def pieces(self) -> list[bytes]:
        """The pieces, each without the ``<`` that it begins with."""
        return self._pieces

    @property
    def content(self) -> bytes:
        """The pieces as they are in the file, but for white space between them."""
        return b"<" + b"<".join(self._pieces)

    def add(self, piece: bytes) -> bool:
        """Add a piece; return whether the element may be complete now.

        Raises:
            ElementError: It can never become complete.
        """
        self._pieces.append(piece)
        self.size += len(piece) + 1
        self._waiting.append(mend(b"<" + piece))
        self._waiting_size += len(self._waiting[-1])
        if self._waiting_size < self._unfinished:
            return False
        return self._parse()

    def _parse(self) -> bool:
        before = self._events
        try:
            self._parser.Parse(b"".join(self._waiting), False)  # noqa: FBT003 - the C function takes no keyword
        except (expat.ExpatError, ElementError):
            self.is_broken = True
            raise ElementError("it has no end") from None
        self._unfinished = 0 if self._events > before else self._unfinished + self._waiting_size
        self._waiting, self._waiting_size = [], 0
        # while a comment or a quoted text goes on, there are no events
        return self._depth == 1 and self._events > before


def _parser(start: Any, end: Any, text: Any) -> expat.XMLParserType:
    """Return a parser inside a root element ``_``; no document type can follow, so there are no entities to expand."""
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    # expat 2.6 reports an end tag later, unless this is switched off
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)  # noqa: FBT003 - the C function takes no keyword
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.Parse(b"<_>", False)  # noqa: FBT003 - the C function takes no keyword
    return parser


def parse(piece: bytes) -> list[Element]:
    """Read the elements that *piece* consists of.

    Raises:
        ElementError: It is no XML.
    """
    root = Element("")
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise ElementError(f"elements deeper than {_DEEPEST}")
        element = Element(name, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def text(content: str) -> None:
        stack[-1].text += content

    try:
        parser = _parser(start, end, text)
        parser.Parse(piece, False)  # noqa: FBT003 - the C function takes no keyword
        parser.Parse(b"</_>", True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise ElementError(expat.ErrorString(error.code) or "no XML") from None
    return root.children[0].children


def _restore(element: Element) -> None:
    element.attributes = {restore(name): restore(value) for name, value in element.attributes.items()}
    element.text = restore(element.text)
    for child in element.children:
        _restore(child)
