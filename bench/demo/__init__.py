"""Two minutes of memrep: a visit counter that goes on while servers fail, and the same over memcacheds.

Three servers have each a network of their own, and on each of them run a memrep node and a memcached. Two
sites of three web servers behind a balancer count a visitor's visits: one keeps its sessions in the nodes,
the other in the memcacheds, both by PHP's memcache extension with redundancy, as the tutorials have it. One
page shows both counters, what the nodes tell of themselves, and buttons that kill, freeze and cut off a
server, for both sites alike.

All of it lives in namespaces that end with the command; only the page's own port can be reached, on loopback.

servers  the three servers with both programs, and what can be done to them
visitor  somebody who visits a site again and again, and what he was shown
desk     the page, and the orders of whoever looks at it
"""
