// The pages between "log in" and the way back: which organization, then name and password.
import { readFileSync } from 'node:fs';
import { errorPage, language, loginPage, organizationsPage, send, setLanguage } from './pages.js';

const STATIC = {
  '/demo/style.css': ['text/css', readFileSync(new URL('./style.css', import.meta.url))],
  '/demo/submit.js': ['text/javascript', readFileSync(new URL('./submit.js', import.meta.url))],
};
const HINTS = ['idphint', 'aarc_idp_hint', 'entityID', 'kc_idp_hint', 'selected_idp'];

async function readForm(request, limit = 10_000) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > limit) throw Object.assign(new Error('form too large'), { status: 413 });
  }
  return new URLSearchParams(body);
}

/** The organization that the client asked for by one of the usual hints (its name, or its entityID), if it is one of ours. */
function hinted(params, people) {
  const hint = HINTS.map((name) => params[name]).find(Boolean);
  return hint && people.organizations.find((o) => hint === o.name || hint === `https://idp.${o.name}/shibboleth`)?.name;
}

async function showOrganizations(ctx, lang, uid, people) {
  send(ctx, organizationsPage(lang, uid, people.organizations));
}

async function logIn(ctx, lang, uid, people, organization, finish) {
  const form = await readForm(ctx.req);
  const name = form.get('username') ?? '';
  const person = people.authenticate(organization.name, name, form.get('password') ?? '');
  if (!person) {
    send(ctx, loginPage(lang, uid, organization, people.of(organization.name), { name, failed: true }), 401);
    return;
  }
  await finish({ login: { accountId: person.sub, acr: person.acr, amr: person.amr } });
}

/** Koa middleware for `/interaction/<uid>` and its two static files; everything else is left to the provider. */
export function interactions(provider, people) {
  return async (ctx, next) => {
    if (STATIC[ctx.path]) {
      [ctx.type, ctx.body] = STATIC[ctx.path];
      return;
    }
    const uid = /^\/interaction\/([\w-]+)$/.exec(ctx.path)?.[1];
    if (!uid) {
      await next();
      return;
    }
    setLanguage(ctx);
    let details;
    try {
      details = await provider.interactionDetails(ctx.req, ctx.res);
    } catch (error) {
      send(ctx, errorPage(language(ctx), { error: 'interaction', error_description: error.error_description ?? error.message }), 400);
      return;
    }
    const lang = language(ctx, details.params.ui_locales);
    const finish = async (result) => {
      ctx.respond = false;
      await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
    };
    if (details.prompt.name === 'consent') {
      await finish({ consent: {} });
      return;
    }
    const organization = people.organization(ctx.query.organization ?? hinted(details.params, people));
    if (ctx.query.cancel !== undefined) {
      await finish({ error: 'access_denied', error_description: 'the person gave up' });
    } else if (!organization) {
      await showOrganizations(ctx, lang, uid, people);
    } else if (ctx.method === 'POST') {
      await logIn(ctx, lang, uid, people, organization, finish);
    } else {
      send(ctx, loginPage(lang, uid, organization, people.of(organization.name), {}));
    }
  };
}
