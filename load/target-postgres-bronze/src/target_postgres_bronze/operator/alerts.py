"""Messages to people through Apprise (mail, Telegram, ntfy, Slack and many more), where ``BRONZE_NOTIFY_URLS`` says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "BRONZE_NOTIFY_URLS"


def send(title: str, body: str, variables: Mapping[str, str]) -> str:
    """Send a message to every address.

    Args:
        title: First line.
        body: The rest; not empty.
        variables: The project's variables; addresses are separated by blanks.

    Returns:
        A sentence about addresses that did not take it while others did, who then need no second message; else nothing.

    Raises:
        OperatorError: There is no address, or none took it. Addresses hold passwords and are not repeated.
    """
    import apprise  # noqa: PLC0415 - half a second that other commands need not pay

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names addresses
    urls = variables.get(VARIABLE, "").split()
    if not urls:
        raise OperatorError(
            f"There is nobody to notify: set {VARIABLE} in .env to Apprise URLs, separated by blanks "
            "(https://github.com/caronc/apprise lists the services)."
        )
    messengers = [apprise.Apprise() for _url in urls]
    for number, (messenger, url) in enumerate(zip(messengers, urls, strict=True), 1):
        if not messenger.add(url):
            raise OperatorError(f"{VARIABLE}: Apprise does not know URL number {number}. Correct it in .env.")
    failed = [
        str(number)
        for number, messenger in enumerate(messengers, 1)
        if not messenger.notify(title=title, body=body)
    ]
    if len(failed) == len(urls):
        raise OperatorError(
            f"{VARIABLE}: no address took the message. Check the URLs in .env and the network; the next check tries again."
        )
    if failed:
        return f"{VARIABLE}: URL number {', '.join(failed)} did not take the message. Check it in .env."
    return ""
