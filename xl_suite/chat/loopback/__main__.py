"""`python -m xl_suite.chat.loopback` starts the server."""

import sys

from xl_suite.chat.loopback.server import main

sys.exit(main())
