// The provider's pages, in French and English. Text from outside is escaped by the html tag.
const TEXTS = {
  fr: {
    demo: 'Démonstration : identités inventées, sur cette machine seulement.',
    organizations: 'Choisissez votre établissement',
    organizationsHelp: 'Vous vous connecterez ensuite avec le compte de cet établissement.',
    login: 'Connexion', at: 'Établissement', name: 'Identifiant', password: 'Mot de passe', submit: 'Se connecter',
    failed: 'Identifiant ou mot de passe incorrect. Vérifiez aussi l’établissement choisi.',
    other: 'Choisir un autre établissement', cancel: 'Annuler',
    people: 'Personnes inventées de cet établissement',
    logout: 'Se déconnecter', logoutAsk: 'Voulez-vous vous déconnecter de tous les services ?', logoutNow: 'Déconnexion en cours…',
    stay: 'Rester connecté', loggedOut: 'Vous êtes déconnecté', loggedOutHelp: 'Vous pouvez fermer cette page.',
    error: 'La demande n’a pas abouti',
    errorHelp: 'Revenez au service qui vous a envoyé ici, et recommencez. Le détail ci-dessous aide son administrateur.',
    languages: 'Langue',
  },
  en: {
    demo: 'Demonstration: made-up identities, on this machine only.',
    organizations: 'Choose your organization',
    organizationsHelp: 'You will then log in with your account there.',
    login: 'Log in', at: 'Organization', name: 'User name', password: 'Password', submit: 'Log in',
    failed: 'Wrong user name or password. Check the organization, too.',
    other: 'Choose another organization', cancel: 'Cancel',
    people: 'Made-up people of this organization',
    logout: 'Log out', logoutAsk: 'Do you want to log out of all services?', logoutNow: 'Logging out…',
    stay: 'Stay logged in', loggedOut: 'You are logged out', loggedOutHelp: 'You can close this page.',
    error: 'The request did not succeed',
    errorHelp: 'Go back to the service that sent you here, and start again. The detail below helps its administrator.',
    languages: 'Language',
  },
};
const COOKIE = 'demo_language';

class Html extends String {}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (value) => {
  if (value instanceof Html) return value;
  if (Array.isArray(value)) return value.map(escape).join('');
  return value === undefined || value === false ? '' : String(value).replace(/[&<>"']/g, (c) => ESCAPES[c]);
};
const html = (parts, ...values) => new Html(String.raw({ raw: parts.map((part) => part.replace(/\s*\n\s*/g, '\n')) }, ...values.map(escape)));

const firstKnown = (tags) => tags.map((tag) => tag.trim().toLowerCase().split(/[-;]/)[0]).find((tag) => tag in TEXTS);

/** The person's own choice, then what the client passed on, then the browser's preference; French for who prefers neither. */
export function language(ctx, uiLocales) {
  const asked = (uiLocales ?? ctx.oidc?.params?.ui_locales ?? '').split(' ');
  return firstKnown([ctx.query.lang ?? '', ctx.cookies.get(COOKIE, { signed: false }) ?? '', ...asked])
    ?? firstKnown((ctx.get('accept-language') || '').split(',')) ?? 'fr';
}

/** Remembers a language that was just chosen by the page's own links. */
export function setLanguage(ctx) {
  if (ctx.query.lang in TEXTS) ctx.cookies.set(COOKIE, ctx.query.lang, { httpOnly: true, sameSite: 'lax', signed: false });
}

/** Sends a page of this module. */
export function send(ctx, page, status = 200) {
  ctx.status = status;
  ctx.type = 'html';
  // No form-action: Chromium would apply it to the redirect that follows a login.
  ctx.set('Content-Security-Policy', "default-src 'none'; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'");
  ctx.set('Cache-Control', 'no-store');
  ctx.set('Referrer-Policy', 'no-referrer');
  ctx.body = String(page);
}

function page(lang, title, main, { here } = {}) {
  const other = lang === 'fr' ? ['en', 'English'] : ['fr', 'Français'];
  return html`<!doctype html>
    <html lang="${lang}">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="stylesheet" href="/demo/style.css">
    <link rel="icon" href="data:,">
    </head>
    <body>
    <header>
    <p class="demo">${TEXTS[lang].demo}</p>
    ${here !== undefined && html`<nav aria-label="${TEXTS[lang].languages}"><a href="?${here}lang=${other[0]}" lang="${other[0]}" hreflang="${other[0]}">${other[1]}</a></nav>`}
    </header>
    <main>
    <h1>${title}</h1>
    ${main}
    </main>
    </body>
    </html>`;
}

/** Where are you from: one button for each organization. */
export function organizationsPage(lang, uid, organizations) {
  const t = TEXTS[lang];
  return page(lang, t.organizations, html`
    <p>${t.organizationsHelp}</p>
    <form method="get" action="/interaction/${uid}">
    <ul class="organizations">
    ${organizations.map((o) => html`<li><button name="organization" value="${o.name}">${o.title[lang] ?? o.title.fr} <span>${o.name}</span></button></li>`)}
    </ul>
    </form>
    <p><a href="?cancel">${t.cancel}</a></p>`, { here: '' });
}

/** Name and password at one organization; `failed` says that the last try was wrong. */
export function loginPage(lang, uid, organization, people, { name = '', failed = false }) {
  const t = TEXTS[lang];
  const query = `organization=${encodeURIComponent(organization.name)}`;
  return page(lang, t.login, html`
    <p>${t.at}${lang === 'fr' ? ' :' : ':'} <strong>${organization.title[lang] ?? organization.title.fr}</strong></p>
    ${failed && html`<p class="failed" role="alert" id="failed">${t.failed}</p>`}
    <form method="post" action="/interaction/${uid}?${query}">
    <label for="username_input">${t.name}</label>
    <input id="username_input" name="username" value="${name}" autocomplete="username" autocapitalize="none" spellcheck="false" required
      ${failed && html`aria-invalid="true" aria-describedby="failed"`}>
    <label for="password_input">${t.password}</label>
    <input id="password_input" name="password" type="password" autocomplete="current-password" required
      ${failed && html`aria-invalid="true" aria-describedby="failed"`}>
    <button type="submit">${t.submit}</button>
    </form>
    <p><a href="/interaction/${uid}?organization=">${t.other}</a></p>
    <details open>
    <summary>${t.people}</summary>
    <table>
    <tr><th scope="col">${t.name}</th><th scope="col">${t.password}</th></tr>
    ${people.map((p) => html`<tr><td>${p.login}</td><td><code>${p.password}</code></td></tr>`)}
    </table>
    </details>`, { here: `${query}&` });
}

/** Asks before a logout, unless it is the person's `own`: then the form goes by itself. */
export function logoutPage(lang, form, own) {
  const t = TEXTS[lang];
  const body = new Html(form.replace('<form ', `<form ${own ? 'data-submit ' : ''}`).replace('</form>', ''));
  return page(lang, t.logout, html`
    <p>${own ? t.logoutNow : t.logoutAsk}</p>
    ${body}
    <button type="submit" name="logout" value="yes">${t.logout}</button>
    ${!own && html`<button type="submit" class="quiet">${t.stay}</button>`}
    </form>
    ${own && html`<script src="/demo/submit.js" defer></script>`}`);
}

export const loggedOutPage = (lang) => page(lang, TEXTS[lang].loggedOut, html`<p>${TEXTS[lang].loggedOutHelp}</p>`);

/** What went wrong, in words, with the provider's own two lines for the administrator. */
export function errorPage(lang, out) {
  const t = TEXTS[lang];
  return page(lang, t.error, html`<p>${t.errorHelp}</p><pre>${out.error}${out.error_description && `\n${out.error_description}`}</pre>`);
}
