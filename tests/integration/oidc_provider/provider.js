// An OpenID provider for the integration tests: npm's oidc-provider over TLS on loopback, with people who
// log in by a header. Its configuration comes as JSON on standard input; it says "ready" when it listens.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';

const told = JSON.parse(readFileSync(0, 'utf8'));

function key(kid, alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

function saidOf(account) {
  return told.people[account] ?? {};
}

const provider = new Provider(told.issuer, {
  clients: told.clients,
  jwks: {
    keys: [key('rsa-1', 'RS256', 'rsa', { modulusLength: 2048 }), key('ec-1', 'ES256', 'ec', { namedCurve: 'P-256' })],
  },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { openid: ['sub', 'groups', 'department', 'amr', 'sid'] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, ...saidOf(sub) }) }),
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'pacs',
        audience: told.audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: (_ctx, token) => saidOf(token.clientId),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  // It calls nobody on loopback by itself; here everybody is.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  ttl: { IdToken: 300, Session: 3600, Grant: 3600, Interaction: 300 },
});

async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const account = request.headers['x-test-user'];
  const grant = new provider.Grant({ accountId: account, clientId: params.client_id });
  grant.addOIDCScope('openid');
  const { amr, acr } = told.people[account] ?? {};
  const result = { login: { accountId: account, amr, acr }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const answer = provider.callback();
const tls = { cert: readFileSync(told.certificate), key: readFileSync(told.key) };
createServer(tls, (request, response) => {
  if (request.url.startsWith('/interaction/')) {
    interact(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  } else {
    answer(request, response);
  }
}).listen(told.port, '127.0.0.1', () => console.log('ready'));
