"""What lies between Agentkeep and the aim (1.3 times the floor, a listing 2), if it does: measured, not guessed."""

from __future__ import annotations

REASONS = {
    "sqlite": (
        "The floor runs on the event loop's thread and blocks it while the disk flushes. Agentkeep writes in a thread "
        "of its own. The floor in a thread of its own took 1.45 to 1.60 times its own time an append, and 1.42 to 1.52 "
        "a turn; Agentkeep took 1.30 to 1.33 times that floor's append, and 1.00 to 1.02 times its turn (three runs "
        "of `sqlite_append.py`, 30 November 2026, this machine). The rest of an append: it writes 8.6 pages of the "
        "log, the floor 5.7, because a session stands in an index for each filter and order of a listing (READ-5). "
        "A request is a read and a turn. The read fetches 16 messages more, so that it can begin with a whole turn in "
        "one trip (READ-4). It has a connection of its own, so after each commit it reads its pages anew: 50 messages "
        "took 245 µs after a turn and 131 to 208 µs without one. "
        "With several writers one flush serves them all."
    ),
    "redis": (
        "A read of messages is a script, because it also looks at the session's life (TTL-1, READ-1). Of 1,000 "
        "messages it took 1.6 to 1.9 ms of the server's processor time, the floor's LRANGE 0.14 to 0.18; the client "
        "took 3.9 ms and the floor's 3.0. Of 50 messages the script took 0.08 to 0.10 ms, the floor's LRANGE 0.004 "
        "(29 November 2026, a busy machine). In turns all figures are within the aim (30 November 2026)."
    ),
    "postgres": (
        "In turns all figures are within the aim (30 November 2026). Between two processes that run after each other a "
        "ratio spread from 0.32 to 2.24. A growth run of its own on that day had listings of a user at 1.17 times "
        "among 10,000 and 1.21 times among 100,000 sessions, and of a kind at 1.03 and 1.10. "
        "The search index stays in the append: a trial on an earlier "
        "edition found that it takes about 50 µs and 4 kB of the write-ahead log a message. Without it a turn would "
        "come nearer to the floor. But then each search reads what is not indexed yet (0.55 ms for 1,000 messages, 2.5 "
        "ms for 5,000), each append writes a row that names it, and something has to catch up (SRCH-1, COST-3). "
        "The keys of all indexes are calls of a function, so that no statistics can lead to another index (COST-4). "
        "That takes about 14 µs of the server's processor time an append, 4 to 7 in 100 of it (medians of 31 rounds, "
        "30 November 2026, a busy machine)."
    ),
    "mongo": (
        "A read of the newest messages is one request (COST-1). It reads the session's document, and the messages' "
        "collection only if the document holds too few. On a busy machine (29 November 2026) the floor's `find` of "
        "50 took 0.33 ms of the server's processor time, and 50 messages that stand in the document 0.60 ms (before "
        "that day's change 0.82). If both were needed it was 1.09 ms (before 1.37): to open a second collection in "
        "one request takes 0.5 ms, even if it finds nothing. The server had 0.28 ms for the document alone. Two "
        "`find` at the same time would take less of it, but they are two round trips, and not of one moment. Of "
        "1,000 messages the floor's `find` took 3.9 ms of the server and 8.4 ms of the client, our request 6.6 and "
        "5.8: it leaves out what a reader does not need, and that is work of the server. A turn of four takes 2.8 ms "
        "of the server, the floor's two requests 0.8 ms: each append writes the session's document anew, with up to "
        "384 messages that wait in it for a move, and each message gets a search entry with a key for each part of "
        "its words (SRCH-1). In a trial that kept 56 messages there it took 1.9 ms, but then a fork of a long "
        "session took five round trips more than one of a short one (COST-4)."
    ),
    "opensearch": (
        "If the keep wrote to the session a moment before, as here, an append is two requests: what it read first, it "
        "remembers. It took 5.25 ms of the server's processor time, the floor's three requests 5.25, and with the "
        "third one 7.0; a turn of four took 8.75, 6.75 and 11.5 (30 November 2026, a busy machine; older results are "
        "with three). The first request runs a script instead of sending the whole document, so that its bytes do not "
        "grow with the session (COST-2), and took 1.6 times the floor's: a process that knows a document to be small "
        "could send it whole. The second writes two documents a message: without the one by which an id is found it "
        "took 0.8 of its time, without the search index 0.9. A read of messages now takes whole "
        "documents: to leave out the text to search cost the server more than to send it (last 50: 1.28 times the "
        "floor's processor time, before 1.85; load 1,000: 1.50, before 2.65). With several writers one request serves "
        "all that wait. A listing is two requests: the first shows what other processes wrote (ORD-5) and took 0.6 to "
        "1.3 ms though there was nothing new; the floor refreshes only after writes of its own. The second took 2.1 to "
        "3.8 ms, the floor's 1.3 to 4.4: it also asks for the tenant and the session's life, and sorts by id too. "
        "A request (1.32 in turns) is a read and a turn: it took 7.9 ms of the server, the floor's 5.5. The read "
        "fetches 16 messages more, so that it can begin with a whole turn (READ-4). Listings in other orders than "
        "newest first take up to three searches, so two to three times as long among 1,000,000 sessions (README.md)."
    ),
}
