// The OpenID provider itself: npm's certified oidc-provider, configured as a federation's proxy would be.
import { createHmac } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { interactions } from './interactions.js';
import { errorPage, language, loggedOutPage, logoutPage, send } from './pages.js';
import { MemoryStore } from './store.js';

/** REFEDS claim names by scope; each claim can also be asked for by a scope of its own name. */
const CLAIMS = {
  profile: ['name', 'given_name', 'family_name', 'locale', 'preferred_username'],
  email: ['email', 'email_verified'],
  eduperson: [
    'eduperson_principal_name', 'eduperson_scoped_affiliation', 'eduperson_affiliation', 'eduperson_entitlement',
    'eduperson_assurance', 'eduperson_unique_id', 'eduperson_orcid', 'schac_home_organization', 'idp',
  ],
  voperson: ['voperson_id', 'voperson_external_affiliation'],
};
CLAIMS.aarc = [...CLAIMS.eduperson, ...CLAIMS.voperson];
for (const claim of CLAIMS.aarc) CLAIMS[claim] = [claim];

const TTL = {
  AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 14 * 86400, Interaction: 3600, Session: 14 * 86400, Grant: 14 * 86400,
};

/** All that was asked for is granted: organizations' proxies ask people nothing for a service of the federation. */
async function grantAll(ctx) {
  const { oidc } = ctx;
  const id = oidc.result?.consent?.grantId || oidc.session.grantIdFor(oidc.client.clientId);
  const grant = (id && await oidc.provider.Grant.find(id))
    || new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
  grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(' '));
  grant.addOIDCClaims([...oidc.requestParamClaims]);
  await grant.save();
  return grant;
}

/** No button to press where the hint proves that the person who leaves is the one whose session it is. */
async function isOwnLogout(ctx, pairwise) {
  const { entities, session, client } = ctx.oidc;
  const own = client?.subjectType === 'pairwise' ? pairwise(ctx, session.accountId, client) : session.accountId;
  return entities.IdTokenHint?.payload.sub === own;
}

/** Builds the provider. `config`: see README.md; `keys`, `people`: what keys.js and people.js load. */
export function createProvider({ issuer, config, keys, people, verbose }) {
  const pairwise = (_ctx, sub, client) => createHmac('sha256', keys.pairwise).update(`${client.clientId}:${sub}`).digest('hex').slice(0, 40);
  const provider = new Provider(issuer, {
    adapter: MemoryStore,
    acrValues: ['https://refeds.org/profile/sfa', 'https://refeds.org/profile/mfa'],
    claims: { acr: null, amr: null, auth_time: null, sid: null, iss: null, openid: ['sub', 'acr', 'amr', 'auth_time'], ...CLAIMS },
    scopes: ['openid', 'offline_access'],
    clients: config.clients ?? [],
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], subject_type: config.subject_type ?? 'public' },
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: pairwise,
    conformIdTokenClaims: !config.claims_in_id_token,
    cookies: { names: { session: 'demo_session', interaction: 'demo_interaction', resume: 'demo_resume' }, keys: keys.cookies },
    discovery: { ui_locales_supported: ['fr', 'en'] },
    extraParams: ['idphint', 'aarc_idp_hint', 'entityID', 'kc_idp_hint', 'selected_idp'],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => send(ctx, logoutPage(language(ctx), form, await isOwnLogout(ctx, pairwise))),
        postLogoutSuccessSource: (ctx) => send(ctx, loggedOutPage(language(ctx))),
      },
      ...config.features,
    },
    // The library refuses loopback addresses, where all of the demo lives; so does this, the other way round.
    fetch: (url, { dispatcher, ...options }) => {
      if (!['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)) throw new Error(`not a loopback address: ${url}`);
      return globalThis.fetch(url, options);
    },
    findAccount: (_ctx, sub) => {
      const person = people.accounts.get(sub);
      return person && { accountId: sub, claims: () => ({ sub, ...person.claims }) };
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: (_ctx, client, source) => client.grantTypeAllowed('refresh_token')
      && (config.refresh_token !== 'offline_access' || source.scopes.has('offline_access')),
    jwks: keys.jwks,
    loadExistingGrant: grantAll,
    pkce: { required: () => config.require_pkce ?? true },
    renderError: (ctx, out) => send(ctx, errorPage(language(ctx), out), ctx.status),
    ttl: { ...TTL, ...config.ttl },
  });
  provider.use(interactions(provider, people));
  if (verbose) {
    for (const event of ['server_error', 'grant.error', 'authorization.error', 'end_session.error', 'backchannel.error']) {
      provider.on(event, (_ctx, error) => process.stderr.write(`${event}: ${error.error ?? ''} ${error.error_description ?? error.message}\n`));
    }
  }
  return provider;
}
