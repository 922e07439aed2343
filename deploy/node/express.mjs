// express's sessions in memrep, by connect-redis (npm install express-session connect-redis redis):
//
//     import { sessions } from "./express.mjs";
//     app.use(await sessions({ secret }));

import { RedisStore } from "connect-redis";
import session from "express-session";

import { byName as connect } from "./node-redis.mjs";

export async function sessions(options) {
    return session({
        store: new RedisStore({
            client: await connect(),
            // Seconds that an unused session lives on, where its cookie has no end of its own.
            ttl: 86400,
        }),
        // A session that nobody has changed is not written (only its end is put off), and one without anything in it is not
        // begun. With the default a page that only looks would write over what another one has just stored.
        resave: false,
        saveUninitialized: false,
        ...options,
    });
}
