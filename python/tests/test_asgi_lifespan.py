from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from .asgi_case import ASGI, ECHO, AsgiCase, fetch, seen


class Lifespans(AsgiCase):
    async def cycle(self, app: Any, then: Any) -> "list[str]":
        told = asyncio.Event()
        done = asyncio.Event()
        sent: "list[Any]" = []

        async def receive() -> Any:
            if not sent:
                return {"type": "lifespan.startup"}
            await done.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            sent.append(message)
            told.set()

        task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, receive, send))
        await told.wait()
        await then()
        done.set()
        await task
        return [message["type"] for message in sent]

    def test_reaches_every_entry_and_its_state_every_request(self) -> None:
        manifest = {
            "entries": {
                "a": ASGI["entry"],
                "old": {"type": "asgi", "app": "zt_old:application"},
                "w": {"type": "wsgi", "app": "zt_wsgi:application"},
            },
            "routes": {"/": {"entry": "a"}, "/old": {"entry": "old"}, "/w": {"entry": "w"}},
        }
        # Does not know the protocol, as many that are written by hand.
        old = "async def application(scope, receive, send):\n    assert scope['type'] == 'http'\n"
        old += "    await send({'type': 'http.response.start', 'status': 204, 'headers': []})\n"
        old += "    await send({'type': 'http.response.body', 'body': b''})\n"
        wsgi = "def application(environ, start):\n    start('200 OK', [])\n    return [b'wsgi']\n"
        app = self.load_asgi(manifest, {"zt_app.py": ECHO, "zt_old.py": old, "zt_wsgi.py": wsgi})

        async def then() -> None:
            self.assertEqual((await seen(app, state={"server": 1}))["state"], {"server": 1, "pool": "open"})
            self.assertEqual((await fetch(app, "/old")).status, 204)
            self.assertEqual((await fetch(app, "/w")).body, b"wsgi")

        async def work() -> None:
            for _ in range(2):
                told = await self.cycle(app, then)
                self.assertEqual(told, ["lifespan.startup.complete", "lifespan.shutdown.complete"])

        self.run_async(work)
        import zt_app  # type: ignore[import-not-found]

        self.assertEqual(zt_app.events, ["lifespan.startup", "lifespan.shutdown"] * 2)

    def test_failures_are_passed_on(self) -> None:
        code = """
async def application(scope, receive, send):
    await receive()
    if KIND == "startup":
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise RuntimeError("no database")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    raise RuntimeError("it does not close")
"""

        async def work() -> None:
            for kind in ("startup", "shutdown"):
                with self.subTest(kind):
                    module = f"zt_{kind}"
                    manifest = {"entry": {"type": "asgi", "app": f"{module}:application"}}
                    app = self.load_asgi(manifest, {f"{module}.py": f"KIND = {kind!r}\n{code}"}, name=f"{kind}.zapp")
                    told = await self.cycle(app, partial(asyncio.sleep, 0))
                    self.assertEqual(told[-1], f"lifespan.{kind}.failed")

        self.run_async(work)
