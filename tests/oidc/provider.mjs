// An identity provider on loopback, of the package `oidc-provider`, for tests/oidc.rs. It says `ready PORT` once it listens, makes a new key at
// each line that it reads, and ends when nobody writes to it any more. Its login page takes any login; the claims are made of it.
import { createServer } from "node:http";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [back] = process.argv.slice(2);
const server = createServer((request, response) => handler(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const client = { redirect_uris: [back], grant_types: ["authorization_code"], response_types: ["code"], client_secret: "a secret of the tests & more" };
const cookies = { keys: [randomBytes(32).toString("hex")] };
let handler;

function renew() {
  const make = (kind, options, alg) => ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: randomBytes(8).toString("hex") });
  const provider = new Provider(issuer, {
    clients: [
      { ...client, client_id: "duban" },
      { ...client, client_id: "another" },
      { ...client, client_id: "curves", id_token_signed_response_alg: "ES256" },
    ],
    jwks: { keys: [make("rsa", { modulusLength: 2048 }, "RS256"), make("ec", { namedCurve: "P-256" }, "ES256")] },
    cookies,
    claims: { openid: ["sub", "amr"], profile: ["preferred_username"], email: ["email", "email_verified"] },
    // Claims of scopes stand in the token; of one login they are told only to whoever asks with the access token.
    conformIdTokenClaims: false,
    ttl: { IdToken: 300, AccessToken: 300, AuthorizationCode: 60, Session: 600, Grant: 600, Interaction: 600 },
    async findAccount(_, id) {
      return {
        accountId: id,
        async claims(use) {
          if (id.startsWith("quiet:") && use === "id_token") return { sub: id };
          const name = id.replace("quiet:", "").replace("unchecked:", "").replace("mfa:", "");
          return { sub: id, preferred_username: name, email: name, email_verified: !id.startsWith("unchecked:") };
        },
      };
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
  const own = provider.callback();
  handler = async (request, response) => {
    if (request.method !== "POST" || !request.url.startsWith("/interaction/")) return own(request, response);
    // Its own login page, but for what it says of how somebody signed in.
    let text = "";
    for await (const part of request) text += part;
    const { prompt, login, ...rest } = Object.fromEntries(new URLSearchParams(text));
    if (prompt === "login") return provider.interactionFinished(request, response, { login: { accountId: login, amr: login.startsWith("mfa:") ? ["pwd", "mfa"] : ["pwd"] } });
    request.body = { prompt, ...rest };
    return own(request, response);
  };
}

renew();
console.log(`ready ${server.address().port}`);
const lines = createInterface({ input: process.stdin });
lines.on("line", () => {
  renew();
  console.log("renewed");
});
lines.on("close", () => process.exit(0));
