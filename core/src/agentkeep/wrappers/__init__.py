"""For those who write a wrapper: an adapter around an adapter, such as encryption, retries or an audit (WRAP-1).

class CountingMessages(MessagesWrapper):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        APPENDS.inc()
        return await super().append(scope, append)

class Counting(Wrapper):
    messages_wrapper = CountingMessages

keep = agentkeep.connect(url, wrap=[Counting])
"""

from agentkeep.wrappers._repositories import MessagesWrapper, SessionsWrapper
from agentkeep.wrappers._wrapper import Wrapper, find_ability

__all__ = ["MessagesWrapper", "SessionsWrapper", "Wrapper", "find_ability"]
