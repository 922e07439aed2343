// memrep by ioredis (npm install ioredis), in one of three ways: import one of them, and call it once for each process.

import { Cluster, Redis } from "ioredis";

// All nodes. Put the one of the web server itself first on each of them: it is asked first.
const nodes = [
    { host: "10.1.1.1", port: 6379 },
    { host: "10.2.2.2", port: 6379 },
    { host: "10.3.3.3", port: 6379 },
];

const connection = {
    // ms. A node that says nothing for so long is left, and what it was asked is asked again; the default is to wait for
    // ever. Not below 1000: memrep may need 0.8 s once, when a peer has just died.
    socketTimeout: 1500,
    // ms. For a machine without power, which cannot refuse. The default is ten seconds.
    connectTimeout: 1000,
    // ms until the next attempt. The default waits longer each time, up to 2 s and more.
    retryStrategy: (attempt) => Math.min(attempt * 20, 200),
};

// ioredis goes on by itself when a connection is lost; who does not listen finds "Unhandled error event" in the log.
function listened(client) {
    client.on("error", (error) => console.error("memrep:", error.message));
    return client;
}

// One name for all nodes, in /etc/hosts or in DNS. A node that is frozen but accepts connections holds those who have it
// first: the other two ways leave it.
export const byName = () => listened(new Redis({ ...connection, host: "memrep", port: 6379 }));

// Every node answers as a sentinel, at the same port.
export const bySentinel = () =>
    listened(
        new Redis({
            ...connection,
            name: "mymaster",
            sentinels: nodes,
            // ms. The default is to wait for ever for a frozen node.
            sentinelCommandTimeout: 1000,
            sentinelRetryStrategy: connection.retryStrategy,
        }),
    );

// Needs `redis_cluster = true` in memrep.toml, on every server.
export const byCluster = () =>
    listened(
        new Cluster(nodes, {
            redisOptions: connection,
            clusterRetryStrategy: connection.retryStrategy,
            // ms. A command may be tried again (by default 16 times) as quickly as nodes refuse.
            retryDelayOnFailover: 100,
        }),
    );
