// openid-client as it is, driving the server that the environment names. Prints a line for each thing that it did.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as client from "openid-client";

const { ISSUER, APP_ID, SECRET, KEY, REFRESH_TOKEN, VERIFY, DPOP_APP_ID, DPOP_SECRET } = process.env;

// RFC 8414: all that is known of the server is its issuer, which the library compares with what the metadata says.
const discover = (appId, authentication) =>
  client.discovery(new URL(ISSUER), appId, undefined, authentication, { algorithm: "oauth2" });

// A token is got, is good, is revoked and is good no more.
async function goesThrough(authentication) {
  const server = await discover(APP_ID, authentication);
  const token = await client.clientCredentialsGrant(server);
  assert.equal(token.token_type, "bearer");
  assert.ok(token.expiresIn() > 0 && token.refresh_token === undefined);
  const told = await client.tokenIntrospection(server, token.access_token);
  assert.deepEqual([told.active, told.client_id, told.scope, told.iss], [true, APP_ID, "default", ISSUER]);
  await client.tokenRevocation(server, token.access_token, { token_type_hint: "access_token" });
  assert.deepEqual(await client.tokenIntrospection(server, token.access_token), { active: false });
}

async function privateKey() {
  const pem = readFileSync(KEY, "utf8").replace(/-----[^-]+-----/g, "");
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return crypto.subtle.importKey("pkcs8", Buffer.from(pem, "base64"), algorithm, false, ["sign"]);
}

async function isRefused(promise, status, error) {
  await assert.rejects(promise, (thrown) => {
    assert.deepEqual([thrown.status, thrown.error], [status, error]);
    return true;
  });
}

const steps = {
  async metadata() {
    const server = (await discover(APP_ID, client.None())).serverMetadata();
    assert.equal(server.issuer, ISSUER);
    assert.ok(server.token_endpoint_auth_methods_supported.includes("private_key_jwt"));
  },

  client_secret_basic: () => goesThrough(client.ClientSecretBasic(SECRET)),
  client_secret_post: () => goesThrough(client.ClientSecretPost(SECRET)),
  private_key_jwt: async () => goesThrough(client.PrivateKeyJwt(await privateKey())),

  async refresh_token() {
    const server = await discover(APP_ID, client.ClientSecretBasic(SECRET));
    const first = await client.refreshTokenGrant(server, REFRESH_TOKEN);
    assert.notEqual(first.refresh_token, REFRESH_TOKEN);
    const second = await client.refreshTokenGrant(server, first.refresh_token, { scope: "default" });
    assert.equal((await client.tokenIntrospection(server, second.access_token)).active, true);
    await client.tokenRevocation(server, second.refresh_token);
    await isRefused(client.refreshTokenGrant(server, second.refresh_token), 400, "invalid_grant");
  },

  async errors() {
    for (const method of [client.ClientSecretBasic, client.ClientSecretPost]) {
      const server = await discover(APP_ID, method("wrong"));
      // A challenge in `WWW-Authenticate` is what the library then tells of.
      await assert.rejects(client.clientCredentialsGrant(server), (thrown) => {
        assert.equal(thrown.status ?? thrown.cause?.status, 401);
        return true;
      });
    }
    const server = await discover(APP_ID, client.ClientSecretPost(SECRET));
    await isRefused(client.clientCredentialsGrant(server, { scope: "admin" }), 400, "invalid_scope");
    await isRefused(client.genericGrantRequest(server, "password", {}), 400, "unsupported_grant_type");
  },

  // RFC 9449: the token is bound to the key, and a call with both passes at the gateway's question.
  async dpop() {
    for (const algorithm of ["ES256", "Ed25519"]) {
      const server = await discover(DPOP_APP_ID, client.ClientSecretBasic(DPOP_SECRET));
      await isRefused(client.clientCredentialsGrant(server), 400, "invalid_dpop_proof");
      const DPoP = client.getDPoPHandle(server, await client.randomDPoPKeyPair(algorithm));
      const token = await client.clientCredentialsGrant(server, {}, { DPoP });
      assert.equal(token.token_type, "dpop");
      // The gateway of this call is played as well: it says what the call was. Its network has no TLS.
      client.allowInsecureRequests(server);
      const url = new URL(VERIFY);
      const told = { "X-Original-Method": "GET", "X-Original-URI": url.pathname, "X-Forwarded-Proto": "http" };
      const headers = new Headers({ app_key: DPOP_APP_ID, ...told });
      const call = (options) =>
        client.fetchProtectedResource(server, token.access_token, url, "GET", undefined, headers, options);
      assert.equal((await call({ DPoP })).status, 200);
      assert.equal((await call()).status, 403);
    }
  },
};

for (const [name, step] of Object.entries(steps)) {
  await step();
  console.log(`ok ${name}`);
}
