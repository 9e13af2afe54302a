// The https module: lower-case header names, `Connection: close`, a status that is exactly 200, and every piece that
// arrives parsed on its own.
'use strict';

const assert = require('assert');
const fs = require('fs');
const http = require('http');
const https = require('https');

const { PUBLIC, PRIVATE, CERTIFICATE, APP_ID, SECRET } = process.env;
const ca = fs.readFileSync(CERTIFICATE);

function send(url, method, headers, body) {
  const library = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const request = library.request(url, { method, headers, ca, agent: false }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(JSON.parse(piece)));
      response.on('end', () => {
        assert(pieces.length <= 1, 'the body came in pieces');
        resolve({ status: response.statusCode, body: pieces[0] });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function post(operation, type, body) {
  const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body), connection: 'close' };
  return send(`${PUBLIC}/iocm/app/sec/v1.1.0/${operation}`, 'POST', headers, body);
}

const login = (secret) =>
  post('login', 'application/x-www-form-urlencoded', `appId=${APP_ID}&secret=${secret}`);
const refresh = (refreshToken) =>
  post('refreshToken', 'application/json', JSON.stringify({ appId: APP_ID, secret: SECRET, refreshToken }));

function pair({ status, body }) {
  assert.strictEqual(status, 200);
  assert(Number.isInteger(body.expiresIn));
  return { accessToken: body.accessToken.toString(), refreshToken: body.refreshToken.toString() };
}

let first, second;
const steps = {
  'login': async () => { first = pair(await login(SECRET)); },
  'refresh': async () => {
    second = pair(await refresh(first.refreshToken));
    assert.notStrictEqual(second.refreshToken, first.refreshToken);
  },
  'verify': async () => {
    const headers = { app_key: APP_ID, access_token: second.accessToken };
    assert.strictEqual((await send(`${PRIVATE}/verify`, 'GET', headers)).status, 200);
  },
  'refresh-again': async () => {
    assert.strictEqual(pair(await refresh(first.refreshToken)).refreshToken, second.refreshToken);
  },
  'logout': async () => {
    const { status, body } =
      await post('logout', 'application/json', JSON.stringify({ accessToken: second.accessToken }));
    assert.deepStrictEqual([status, body], [204, undefined]);
  },
  'refresh-after-logout': async () => {
    const { status, body } = await refresh(second.refreshToken);
    assert.deepStrictEqual([status, body.error_code], [400, '50400']);
  },
  'wrong-secret': async () => {
    const { status, body } = await login('wrong');
    assert.deepStrictEqual([status, body.error_code], [401, '100208']);
  },
};

(async () => {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${error.message.replace(/\n/g, ' ')}`);
    }
  }
})();
