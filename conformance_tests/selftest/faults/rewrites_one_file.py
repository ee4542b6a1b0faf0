"""Each call reads one JSON file and rewrites it whole.

So do the file sessions of many frameworks; it passed the suite, which had measured Python's calls and round trips only.
"""

from over_file import OverFile

FAMILY = "file_costs"
CLAUSE = "COST-2"


class TestFault(OverFile):
    pass
