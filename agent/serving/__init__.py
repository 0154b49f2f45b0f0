"""An agent behind a socket: websockets with msgpack for robots, a page for people, metrics for Prometheus.

From outside to inside:

    background.py  `serve_until_signal` for the command, `serving` for notebooks and tests
    settings.py    where and how to serve
    server.py      listens, lets in who may enter, stops in good order
    http.py        plain requests: the page, health, metrics, refusals
    robots.py      a robot's connection: greeting, one request after the other, its end
    clients.py     the episodes of robots, kept for a while when a connection breaks
    batcher.py     the queue before the policy, emptied many requests at a time
    policy.py      the policy: an Agent, of which each client has a fork
    watch.py       what the page is sent; page.html is the page
    metrics.py     counts and times

What travels is described in `agent/client/messages.py` and `agent/client/verbs.py`.
"""
