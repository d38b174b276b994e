"""Whether the service on this machine is ready: the health check of its container.

``python -m service.health`` asks ``/readyz`` and exits with 0 or 1. It runs every few seconds
beside the service, so it imports nothing but a little of the standard library.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

_EVERY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not listened on
"""Addresses that stand for all of the machine, with the one to ask."""


def main() -> int:
    """Ask ``/readyz`` where ``UNDERTONE_HOST`` and ``UNDERTONE_PORT`` say; 127.0.0.1 and 8000 where unset.

    Prints one line that says what came back, for ``docker inspect`` to show.

    Returns:
        The exit status: 0 when the service answers 200 within 4 s, else 1.
    """
    port = os.environ.get("UNDERTONE_PORT") or "8000"  # empty counts as unset, as in the settings
    host = os.environ.get("UNDERTONE_HOST") or "127.0.0.1"
    host = _EVERY.get(host, host)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        # Not urllib: that would ask whatever proxy the environment of a container names.
        connection = HTTPConnection(address, timeout=4)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, HTTPException, UnicodeError) as error:  # a host may be no name
        print(f"http://{address}/readyz does not answer: {error}")
        return 1
    print(f"http://{address}/readyz answers {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
