"""Multipath TCP for requests.

>>> import requests, subflows, threading
>>> from http.server import SimpleHTTPRequestHandler
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> from subflows.adapters.requests import HTTPAdapter
>>> server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
>>> threading.Thread(target=server.serve_forever).start()
>>> with requests.Session() as session:
...     session.mount("http://", HTTPAdapter())
...     with session.get(f"http://127.0.0.1:{server.server_port}/", stream=True) as response:
...         print(subflows.status(response).state.name)
MPTCP
>>> server.shutdown()
>>> server.server_close()

Pass the response to `subflows.list`, `subflows.open` and other functions, for as long as the session
keeps its connection open. To open a path before the body is read, pass ``stream=True``.
"""

from __future__ import annotations

from typing import Any

import requests.adapters
import urllib3

from ._options import CONNECT
from .urllib3 import upgrade

__all__ = ["HTTPAdapter"]


class HTTPAdapter(requests.adapters.HTTPAdapter):
    """An adapter by Multipath TCP, with the keywords of `subflows.connect` except its timeout.

    Connections to HTTP proxies are Multipath TCP as well. A SOCKS proxy raises ValueError.
    """

    # The attributes that are pickled.
    __attrs__ = [*requests.adapters.HTTPAdapter.__attrs__, "options"]

    @CONNECT.shown
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Before the base class, which makes its manager at once.
        self.options = CONNECT.take(kwargs)
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the manager of the connections to origin servers."""
        base: Any = super()  # Some of its stubs have no types.
        base.init_poolmanager(*args, **kwargs)
        upgrade(self.poolmanager, **self.options)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> urllib3.ProxyManager:
        """Returns the manager of the connections to a proxy."""
        if proxy not in self.proxy_manager:
            base: Any = super()
            manager = base.proxy_manager_for(proxy, **kwargs)
            try:
                upgrade(manager, **self.options)
            except ValueError:
                del self.proxy_manager[proxy]
                raise
        made: urllib3.ProxyManager = self.proxy_manager[proxy]
        return made
