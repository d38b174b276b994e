"""Whether the service on this machine is ready: the health check of its container.

``python -m service.health`` asks ``/readyz`` and exits with 0 or 1. It runs every few seconds
beside the service, so it imports nothing but a little of the standard library.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """Ask ``/readyz`` on the port that ``UNDERTONE_PORT`` names, 8000 where it is unset.

    Prints one line that says what came back, for ``docker inspect`` to show.

    Returns:
        The exit status: 0 when the service answers 200 within 4 s, else 1.
    """
    port = os.environ.get("UNDERTONE_PORT") or "8000"  # empty counts as unset, as in the settings
    address = f"127.0.0.1:{port}"
    try:
        # Not urllib: that would ask whatever proxy the environment of a container names.
        connection = HTTPConnection(address, timeout=4)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"http://{address}/readyz does not answer: {error}")
        return 1
    print(f"http://{address}/readyz answers {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
