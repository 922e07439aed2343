// An express site in one file: express-session by deploy/node, with a CSRF token that is kept in the session.
// Its arguments are the port, and how it finds memrep: a way of a file of settings.

import express from "express";
import { randomBytes } from "node:crypto";

import { sessions } from "./express.mjs";

const app = express();
app.use(express.urlencoded());
app.use(await sessions({ secret: "secret" }));

const page = (request) => ({
    user: request.session.user ?? null,
    visits: request.session.visits ?? 0,
    orders: request.session.orders ?? 0,
    token: request.session.token,
});

app.use((request, response, next) => {
    request.session.token ??= randomBytes(16).toString("hex");
    if (request.method === "POST" && request.body._token !== request.session.token) {
        return response.sendStatus(403);
    }
    next();
});

app.get("/login", (request, response) => response.json(page(request)));

app.post("/login", (request, response, next) => {
    if (request.body.name !== "ada" || request.body.password !== "lovelace") {
        return response.sendStatus(403);
    }
    const { token } = request.session;
    request.session.regenerate((error) => {
        Object.assign(request.session, { user: "ada", token });
        error ? next(error) : response.json(page(request));
    });
});

app.use((request, response, next) => (request.session.user ? next() : response.sendStatus(401)));

const counts = (what) => (request, response) => {
    request.session[what] = (request.session[what] ?? 0) + 1;
    response.json(page(request));
};

app.get("/", counts("visits"));
app.post("/order", counts("orders"));

app.listen(Number(process.argv[2]), "127.0.0.1");
