"""The stand-in's sign-in: pairs of tokens, of which the refresh token works once."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_garmin.standin.clock import Clock

CLIENT_ID = "GARMIN_CONNECT_MOBILE_ANDROID_DI_2025Q2"
ACCESS_LIFE = timedelta(hours=25)
REFRESH_LIFE = timedelta(days=30)


class SignIn:
    """Issues tokens, and knows which are good."""

    def __init__(self, clock: Clock) -> None:
        """Issue none yet."""
        self._clock = clock
        self._number = 0
        self.access = ""
        self.refresh = ""
        self._ends: datetime | None = None
        self.renewals = 0

    def issue(self) -> dict[str, str]:
        """Make a new pair; the former one is good no more. Gives what a log-in writes into the token file."""
        self._number += 1
        now = self._clock.now()
        claims = {
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_LIFE).timestamp()),
            "client_id": CLIENT_ID,
        }
        self.access = f"{_part({'alg': 'none'})}.{_part(claims)}.invented{self._number}"
        self.refresh = f"invented-refresh-{self._number}"
        self._ends = now + REFRESH_LIFE
        return {"di_token": self.access, "di_refresh_token": self.refresh, "di_client_id": CLIENT_ID}

    def write(self, place: Path) -> Path:
        """Write a new pair into the folder *place*, as the log-in command does."""
        place.mkdir(parents=True, exist_ok=True)
        path = place / "garmin_tokens.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.issue()))
        return path

    def is_good(self, authorization: str | None) -> bool:
        """Tell whether a request is signed in: the newest access token, and not too old."""
        return authorization == f"Bearer {self.access}" and self._ends is not None and not self._is_over()

    def renew(self, form: Mapping[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Answer a renewal: status and body."""
        user = base64.b64encode(f"{form.get('client_id')}:".encode()).decode()
        is_right = form.get("grant_type") == "refresh_token" and authorization == f"Basic {user}"
        too_old = self._ends is None or self._clock.now() >= self._ends
        if not is_right or form.get("refresh_token") != self.refresh or too_old:
            return 400, {"error": "invalid_grant"}
        self.renewals += 1
        pair = self.issue()
        return 200, {
            "access_token": pair["di_token"],
            "refresh_token": pair["di_refresh_token"],
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "refresh_token_expires_in": int(REFRESH_LIFE.total_seconds()),
        }

    def _is_over(self) -> bool:
        payload = self.access.split(".")[1]
        ends: int = json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"]
        return self._clock.now().timestamp() >= ends


def _part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
