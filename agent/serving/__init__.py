"""The agent server: websockets with msgpack for robots, a web page for people, metrics for Prometheus.

From the outside in:

    background.py  `serve_until_signal` for the command, `serving` for notebooks and tests
    settings.py    options of the server
    server.py      listens, authorises connections, shuts down gracefully
    http.py        plain HTTP requests: the page, health, metrics, refusals
    robots.py      a robot's connection: handshake, requests in order, disconnect
    clients.py     the episodes of robots, kept for a while when a connection breaks
    batcher.py     the queue before the policy, processed in batches
    policy.py      the policy: an Agent, with a fork for each client
    watch.py       messages to the page; page.html is the page
    metrics.py     counters and histograms

The messages are described in `agent/client/messages.py` and `agent/client/verbs.py`.
"""
