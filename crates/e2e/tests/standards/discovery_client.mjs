// openid-client, which looks for the metadata of OpenID Connect unless it is told otherwise. Prints a line for each thing that it did.

import assert from "node:assert/strict";
import * as client from "openid-client";

const { ISSUER, APP_ID, SECRET } = process.env;

async function goesThrough(options) {
  const server = await client.discovery(new URL(ISSUER), APP_ID, undefined, client.ClientSecretBasic(SECRET), options);
  assert.equal(server.serverMetadata().issuer, ISSUER);
  const token = await client.clientCredentialsGrant(server);
  assert.equal((await client.tokenIntrospection(server, token.access_token)).active, true);
  await client.tokenRevocation(server, token.access_token);
  assert.equal((await client.tokenIntrospection(server, token.access_token)).active, false);
}

const steps = {
  openid: () => goesThrough(undefined),
  oauth2: () => goesThrough({ algorithm: "oauth2" }),
};

for (const [name, step] of Object.entries(steps)) {
  await step();
  console.log(`ok ${name}`);
}
