"""Work that need not be done twice: which key was seen to verify which signature over which data.

It holds nothing else. Windows, signers and anchors are checked anew each time, so that a memo can
make nothing secure that would not be secure without it.
"""

import hashlib
from collections import OrderedDict

MOST_SIGNATURES = 16384
"""Signatures remembered: 2 to 3 MiB, a few thousand answers with their chains."""


class Memo:
    """The signatures that have verified, least recently used out first."""

    def __init__(self, most: int = MOST_SIGNATURES) -> None:
        self._most = most
        self._verified: OrderedDict[bytes, None] = OrderedDict()

    @staticmethod
    def key(public_key: bytes, signature: bytes, data: bytes) -> bytes:
        """What stands for a key's RDATA, a signature, and the data signed.

        The lengths come first: whoever chooses a key could else make it begin with another zone's
        key, and pass off a good signature of its own as one by that. Two triples of one digest
        could be searched for at leisure, so it has 256 bits.
        """
        lengths = len(public_key).to_bytes(4) + len(signature).to_bytes(4)
        state = hashlib.blake2b(lengths + public_key + signature, digest_size=32)
        state.update(data)
        return state.digest()

    def knows(self, key: bytes) -> bool:
        """Whether that has verified before."""
        if key not in self._verified:
            return False
        self._verified.move_to_end(key)
        return True

    def remember(self, key: bytes) -> None:
        """Keep that it has verified."""
        self._verified[key] = None
        if len(self._verified) > self._most:
            self._verified.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._verified.clear()
