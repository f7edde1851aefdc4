from __future__ import annotations

import ast
from typing import Any

from .server_case import Response, ServerCase, read_response, seen


class Environ(ServerCase):
    def setUp(self) -> None:
        self.serve(seen)

    def seen(self, path: str = "/", fields: str = "", line: str = "GET {} HTTP/1.1") -> dict[str, Any]:
        head = f"{line.format(path)}\r\nHost: a:80\r\nConnection: close\r\n{fields}\r\n"
        found: dict[str, Any] = ast.literal_eval(Response.parse(self.exchange(head.encode("latin-1"))).body.decode())
        return found

    def test_what_pep_3333_asks_for(self) -> None:
        found = self.seen("/a%20b/%C3%A9?x=%2F&y", "X-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\n")
        self.assertEqual(found["PATH_INFO"], "/a b/é".encode().decode("latin-1"))
        self.assertEqual((found["SCRIPT_NAME"], found["QUERY_STRING"]), ("", "x=%2F&y"))
        self.assertEqual((found["HTTP_X_A"], found["HTTP_COOKIE"]), ("1, 2", "a=1; b=2"))
        self.assertEqual((found["REMOTE_ADDR"], found["SERVER_PROTOCOL"]), ("127.0.0.1", "HTTP/1.1"))
        self.assertEqual(self.seen("http://a:80/x")["PATH_INFO"], "/x")
        self.assertEqual(self.seen(line="GET / HTTP/1.0")["SERVER_PROTOCOL"], "HTTP/1.0")

    def test_what_a_client_may_not_say(self) -> None:
        fields = (
            "X_Forwarded_For: 6.6.6.6\r\nContent_Length: 5\r\nProxy: http://evil\r\nForwarded: for=6.6.6.6\r\n"
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\nX-Real-IP: 6.6.6.6\r\n"
            "Upgrade: h2c\r\nHTTP2-Settings: x\r\nX-Mine: 1\r\n"
        )
        found = self.seen(fields=fields + "Connection: X-Mine, X-Forwarded-For, Upgrade, HTTP2-Settings\r\n")
        self.assertNotIn("evil", repr(found))
        self.assertNotIn("6.6.6.6", repr(found))
        self.assertEqual((found["SCRIPT_NAME"], found["HTTP_X_FORWARDED_PROTO"]), ("", "http"))
        self.assertEqual(found["HTTP_X_FORWARDED_FOR"], "127.0.0.1")
        for name in ("HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS", "HTTP_X_MINE", "HTTP_PROXY"):
            self.assertNotIn(name, found)
        self.assertEqual(found["CONTENT_LENGTH"], "")

    def test_what_a_trusted_proxy_may_say(self) -> None:
        fields = (
            "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
            "X-Forwarded-Prefix: /shop\r\n"
        )
        self.serve(seen, proxies=["127.0.0.1"])
        found = self.seen("/x", fields)
        self.assertEqual((found["REMOTE_ADDR"], found["wsgi.url_scheme"]), ("192.0.2.7", "https"))
        self.assertEqual((found["SERVER_NAME"], found["SERVER_PORT"]), ("shop.example", "443"))
        self.assertEqual((found["SCRIPT_NAME"], found["PATH_INFO"]), ("/shop", "/x"))
        found = self.seen("/x", "X-Forwarded-Host: a/../b@c\r\nX-Forwarded-Proto: javascript\r\n")
        self.assertEqual((found["HTTP_HOST"], found["wsgi.url_scheme"]), ("a:80", "http"))
        self.assertEqual(found["REMOTE_ADDR"], "127.0.0.1")

    def test_fields_of_one_request_are_not_those_of_the_next(self) -> None:
        with self.connect() as sock:
            for index, fields in enumerate([b"X-A: 1\r\n", b"X-A: 1\r\n", b"", b"X-B: 1\r\n"]):
                sock.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n%b\r\n" % (index, fields))
                found = ast.literal_eval(read_response(sock).body.decode())
                # What this server adds to every request: who the client is, and the request's id.
                names = {name for name in found if name.startswith("HTTP_X_") and "FORWARDED" not in name}
                names.discard("HTTP_X_REQUEST_ID")
                self.assertEqual(names, {"HTTP_X_A"} if index < 2 else {"HTTP_X_B"} if index == 3 else set())
                self.assertEqual(found["PATH_INFO"], f"/{index}")
