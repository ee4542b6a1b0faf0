"""What lies between Agentkeep and the aim (1.3 times the floor, a listing 2), if it does: measured, not guessed."""

from __future__ import annotations

REASONS = {
    "sqlite": (
        "The floor runs on the event loop's thread and blocks it while the disk flushes. Agentkeep writes in a thread "
        "of its own: two thread switches are 110 µs of an append (28 November 2026, this machine). The rest of an "
        "append is 1.33 times the floor: it writes 8.5 pages of the log, the floor 5.5, because a session stands in an "
        "index for each filter and order of a listing (READ-5). With several writers one flush serves them all."
    ),
    "mongo": (
        "An append, a listing and writers are within the aim or near it. A read of the log is one request that finds "
        "the newest messages in the session's document and older ones in their own collection. A `find` of 50 takes "
        "0.57 ms of the server's processor time, a request that reads the document 0.8 ms, with a `$lookup` that finds "
        "6 messages 1.5 ms (29 November 2026). Two `find` would take less of the server, but they are two requests."
    ),
    "opensearch": (
        "One caller waits longer than the floor's: what lies between was not looked into yet. With several writers one "
        "request serves all of them that wait."
    ),
}
