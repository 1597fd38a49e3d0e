"""anchord in a program of its own: an engine in this process, configured as the daemon is.

What is checked with it stands in `anchord.dane`. Programs for which the daemon's word will do ask
its HTTP API; here nothing has to be believed, not even the daemon.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anchord.config.load import Loaded, load
from anchord.daemon.compose import clock_of, open_resolver
from anchord.daemon.upstreams import with_upstreams
from anchord.dane import Checker
from anchord.dane.roots import load_roots


@asynccontextmanager
async def open_checker(
    loaded: Loaded | None = None, *, direct: bool = False
) -> AsyncIterator[Checker]:
    """A checker over an engine of this process; its connections end with the context.

    `loaded` is what `anchord.config.load.load` returns, by itself the configuration that the daemon
    would find. Names are asked for of the daemon where it answers, unless `direct`; every verdict
    is this process's own. Runs on trio. Raises AnchordError for a configuration, roots or trust
    anchors that cannot be used; for upstreams, in an exception group.
    """
    loaded = load() if loaded is None else loaded
    trust = load_roots(loaded.config.dane.ca_file)
    loaded = await with_upstreams(loaded, direct=direct)
    raised: Exception | None = None
    async with open_resolver(loaded, clock_of(loaded.config)) as resolver:
        try:
            yield Checker(resolver, trust)
        except Exception as error:  # noqa: BLE001 - the resolver's tasks would put it into a group
            raised = error
    if raised is not None:
        raise raised
