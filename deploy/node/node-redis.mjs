// memrep by node-redis (npm install redis), in one of two ways: import one of them, and call it once for each process.
// Not by createCluster: when a node of a cluster dies it waits for seconds. And it waits for a frozen node until that one goes
// on, in both ways; deploy/haproxy ends that.

import * as redis from "redis";

const socket = {
    // ms. For a machine without power, which cannot refuse. The default is five seconds.
    connectTimeout: 1000,
    // ms until the next attempt.
    reconnectStrategy: (retries) => Math.min(retries * 20, 200),
};

// Without a listener for errors the first lost connection ends the process.
async function connected(client) {
    client.on("error", (error) => console.error("memrep:", error.message));
    await client.connect();
    return client;
}

// One name for all nodes, in /etc/hosts or in DNS. A command that is on its way when its node dies fails; that one alone.
export const byName = () => connected(redis.createClient({ socket: { ...socket, host: "memrep", port: 6379 } }));

// Every node answers as a sentinel, at the same port. From version 5 of node-redis. No command fails.
export const bySentinel = () =>
    connected(
        redis.createSentinel({
            name: "mymaster",
            // All nodes, that of the web server itself first.
            sentinelRootNodes: [
                { host: "10.1.1.1", port: 6379 },
                { host: "10.2.2.2", port: 6379 },
                { host: "10.3.3.3", port: 6379 },
            ],
            nodeClientOptions: { socket },
            sentinelClientOptions: { socket },
        }),
    );
