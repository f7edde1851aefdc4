from __future__ import annotations

from zapp.server.access_log import LineLog

from .server_case import ServerCase, hello


class Log(ServerCase):
    def test_one_line_for_each_request(self) -> None:
        self.serve(hello, log=LineLog())
        with self.errors() as text:
            self.get('/a"b%00')
            self.status(b"\x00\r\n\r\n")
            self.status(b"GET /b HTTP/1.1\r\n\r\n")
            self.server.stop_soon(5)
            self.thread.join()
        lines = text.getvalue().splitlines()
        time = r"20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z 127\.0\.0\.1 "
        self.assertRegex(lines[0], "^" + time + r'"GET /a\\x22b%00 HTTP/1\.1" 200 [0-9]+ [0-9]+\.[0-9]ms /$')
        self.assertRegex(lines[1], "^" + time + r'"-" 400 [0-9]+ [0-9.]+ms -$')
        self.assertRegex(lines[2], "^" + time + r'"GET /b HTTP/1\.1" 400 ')
        self.assertEqual(len(lines), 3)
