"""requests by Multipath TCP.

>>> import requests, subflows, threading
>>> from http.server import SimpleHTTPRequestHandler
>>> from subflows.adapters.http_server import ThreadingHTTPServer
>>> from subflows.adapters.requests import HTTPAdapter
>>> server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
>>> threading.Thread(target=server.serve_forever).start()
>>> with requests.Session() as session:
...     session.mount("http://", HTTPAdapter())
...     with session.get(f"http://127.0.0.1:{server.server_port}/", stream=True) as response:
...         print(subflows.status(response.raw).state.name)
MPTCP
>>> server.shutdown()
>>> server.server_close()

While a response is read (``stream=True``), its ``raw`` is what `subflows.list`, `subflows.open` and
the others take for its connection.
"""

from __future__ import annotations

from typing import Any, Optional

import requests.adapters
import urllib3

from .urllib3 import upgrade

__all__ = ["HTTPAdapter"]


class HTTPAdapter(requests.adapters.HTTPAdapter):
    """What a session is given to speak Multipath TCP; options as for `subflows.connect`.

    Connections to HTTP proxies are Multipath TCP as well; a SOCKS proxy is refused with ValueError.
    """

    # What makes the adapter again after it was pickled.
    __attrs__ = [*requests.adapters.HTTPAdapter.__attrs__, "control", "local", "interface"]

    def __init__(
        self,
        *args: Any,
        control: bool = False,
        local: Optional[tuple[str, int]] = None,
        interface: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        # The base class makes its manager at once.
        self.control = control
        self.local = local
        self.interface = interface
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the manager of the connections to origin servers."""
        if self.local is not None:
            kwargs["source_address"] = self.local
        base: Any = super()  # In some of its stubs it has no types.
        base.init_poolmanager(*args, **kwargs)
        upgrade(self.poolmanager, control=self.control, interface=self.interface)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> urllib3.ProxyManager:
        """Gives the manager of the connections to a proxy."""
        if proxy not in self.proxy_manager:
            if self.local is not None:
                kwargs["source_address"] = self.local
            base: Any = super()
            manager = base.proxy_manager_for(proxy, **kwargs)
            try:
                upgrade(manager, control=self.control, interface=self.interface)
            except ValueError:
                del self.proxy_manager[proxy]
                raise
        made: urllib3.ProxyManager = self.proxy_manager[proxy]
        return made
