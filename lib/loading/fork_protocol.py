"""What the server and the program that forks decoders say to each other."""

from __future__ import annotations

import struct

COMMAND = struct.Struct("!ci")
"""A command letter and a process id (0 where none is meant)."""
ANSWER = struct.Struct("!i")
"""A process id, or an exit status as `os.waitstatus_to_exitcode` gives it."""
START = b"s"
"""Fork a decoder on the socket that comes with the command; answers its process id, or 0."""
END = b"e"
"""Kill that decoder if it still runs, and answer its exit status."""
DROP = b"d"
"""The same without an answer. Commands are done in their order: before the next fork it is gone."""
