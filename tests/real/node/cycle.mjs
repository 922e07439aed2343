/*
 * A Node.js program that uses sessions all day, as cycle.php does in PHP: over one connection that lives on.
 *
 * A cycle is what a page does: read the session, look at it, write it with its count raised. The script remembers
 * what every session must hold and tells each difference as one JSON line. Commands come as JSON lines on stdin;
 * each ends with a summary line:
 *
 *   {"do": "round"}                                 one cycle for every id
 *   {"do": "flow", "cycles": 1000, "pace_ms": 20}   cycles of several sessions at a time, until both this many are
 *                                                   done and the next command, {"do": "stop"}, has come
 *   {"do": "visit", "id": 0}                        one cycle; {"asks": "get"} tells that it has begun
 *   {"do": "hold", "id": 0}                         one cycle; after its read it says {"holds": true} and waits for
 *                                                   {"do": "release"}
 *
 * Arguments: the file of settings, which of its ways, the number of ids, and how many cycles of a flow are under way
 * at a time.
 */

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

const [settings, way, count, lanes] = process.argv.slice(2);
const ways = await import(settings);
const client = await ways[way]();
const isIoredis = "defineCommand" in client;
const store = (key, value) => (isIoredis ? client.set(key, value, "EX", 1440) : client.set(key, value, { EX: 1440 }));

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const sha1 = (text) => createHash("sha1").update(text).digest("hex");

/* What a session carries at count n: every tenth is large. */
const luggage = (id, n) => sha1(`${id} at ${n}`).repeat(id % 10 === 0 ? 1000 : 10);

const orders = [];
let wake = () => {};
createInterface({ input: process.stdin })
    .on("line", (line) => {
        orders.push(JSON.parse(line));
        wake();
    })
    .on("close", () => process.exit(0));

async function order() {
    while (orders.length === 0) {
        await new Promise((come) => (wake = come));
    }
    return orders.shift();
}

// What each session holds at least and at most: a write that failed may have been stored.
const known = Array.from({ length: Number(count) }, () => [0, 0]);
let tally;

function judge(id, text) {
    const [from, to] = known[id];
    if (text === null) {
        return from === 0 ? null : "empty";
    }
    const { n, luggage: carried } = JSON.parse(text);
    if (n > to) {
        return "wrong";
    }
    if (n < from) {
        return "stale";
    }
    return carried === luggage(id, n) ? null : "torn";
}

async function cycle(id, between = async () => {}) {
    const began = performance.now();
    let trouble = null;
    let failure = "";
    try {
        trouble = "failed read";
        const text = await client.get(`session-${id}`);
        trouble = judge(id, text);
        await between();
        const n = text === null ? 0 : JSON.parse(text).n;
        known[id] = [n, n + 1];
        if (trouble === null) {
            trouble = "failed write";
            await store(`session-${id}`, JSON.stringify({ n: n + 1, luggage: luggage(id, n + 1) }));
            trouble = null;
            known[id] = [n + 1, n + 1];
        }
    } catch (error) {
        failure = String(error);
    }
    const ms = performance.now() - began;
    tally.cycles++;
    tally.slowest_ms = Math.max(tally.slowest_ms, ms);
    if (trouble === null) {
        tally.ok++;
    } else {
        tally.anomalies[trouble] = (tally.anomalies[trouble] ?? 0) + 1;
        say({ anomaly: trouble, id, ms, error: failure });
    }
}

async function flow(atLeast, paceMs) {
    let stopped = false;
    order().then(() => (stopped = true));
    const lane = async (first) => {
        for (let id = first; !stopped || tally.cycles < atLeast; id = (id + Number(lanes)) % known.length) {
            const due = performance.now() + paceMs;
            await cycle(id);
            await rest(Math.max(0, due - performance.now()));
        }
    };
    await Promise.all(Array.from({ length: Number(lanes) }, (_, i) => lane(i)));
}

say({ ready: true });
for (;;) {
    const wanted = await order();
    tally = { cycles: 0, ok: 0, anomalies: {}, slowest_ms: 0, notices: {} };
    switch (wanted.do) {
        case "round":
            for (const id of known.keys()) {
                await cycle(id);
            }
            break;
        case "flow":
            await flow(wanted.cycles, wanted.pace_ms);
            break;
        case "visit": {
            const done = cycle(wanted.id);
            say({ asks: "get" });
            await done;
            break;
        }
        case "hold":
            await cycle(wanted.id, async () => {
                say({ holds: true });
                await order();
            });
            break;
    }
    say({ summary: tally });
}
