import os
import subprocess
import sys
import tempfile
import unittest
from typing import List

from zapp.server.balance import Balance

_PEER = """
import sys
from zapp.server.balance import Balance
balance = Balance.join(sys.argv[1])
if balance is not None:
    balance.tell(int(sys.argv[2]))
print(balance is not None, flush=True)
sys.stdin.read()
"""


class BalanceTest(unittest.TestCase):
    def setUp(self) -> None:
        file = tempfile.NamedTemporaryFile(delete=False)
        file.write(b"\xff" * 12)
        file.close()
        self.path = file.name
        self.peers: List["subprocess.Popen[str]"] = []

    def tearDown(self) -> None:
        for peer in self.peers:
            self.end(peer)
        os.unlink(self.path)

    def peer(self, connections: int, has_room: bool = True) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", _PEER, self.path, str(connections)]
        peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peers.append(peer)
        assert peer.stdout is not None
        self.assertEqual(peer.stdout.readline(), f"{has_room}\n")
        return peer

    def end(self, peer: "subprocess.Popen[str]") -> None:
        peer.kill()
        for stream in (peer.stdin, peer.stdout):
            if stream is not None:
                stream.close()
        peer.wait()

    def test_processes_that_share_a_file(self) -> None:
        mine = Balance.join(self.path)
        assert mine is not None
        # Alone it is never ahead, and with few connections neither.
        self.assertFalse(mine.is_ahead(100))
        first = self.peer(8)
        self.assertTrue(mine.is_ahead(12))
        self.assertFalse(mine.is_ahead(10))
        second = self.peer(0)
        self.assertTrue(mine.is_ahead(10))
        self.assertFalse(mine.is_ahead(4))
        self.peer(0, has_room=False)
        # What takes the place of one that was killed has its slot.
        self.end(first)
        self.peer(20)
        self.end(second)
        self.peer(30)
        self.assertFalse(mine.is_ahead(20))

    def test_no_file(self) -> None:
        self.assertIsNone(Balance.join(self.path + ".none"))
