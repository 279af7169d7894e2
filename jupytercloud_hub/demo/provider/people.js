// The made-up people: who they are, and the claims (REFEDS names) that their organization says of each.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PASSWORD_ONLY = 'https://refeds.org/profile/sfa';

const opaque = (text, length) => createHash('sha256').update(text).digest('hex').slice(0, length);

/** What follows from a login and an organization, unless the person's own claims say otherwise. */
function derived({ login, organization }) {
  const unique = opaque(`unique:${login}@${organization}`, 24);
  return {
    preferred_username: login,
    email: `${login}@${organization}`,
    email_verified: true,
    schac_home_organization: organization,
    eduperson_principal_name: `${login}@${organization}`,
    eduperson_unique_id: `${unique}@${organization}`,
    voperson_id: `${unique}@federation.example`,
    idp: `https://idp.${organization}/shibboleth`,
  };
}

function check(organizations, people) {
  const known = new Set(organizations.map((o) => o.name));
  const seen = new Set();
  for (const person of people) {
    for (const key of ['login', 'password', 'organization']) {
      if (typeof person[key] !== 'string') throw new Error(`person ${person.login ?? '?'}: ${key} is missing`);
    }
    if (!known.has(person.organization)) throw new Error(`person ${person.login}: no organization ${person.organization}`);
    const key = `${person.login}@${person.organization}`;
    if (seen.has(key)) throw new Error(`person ${key}: there twice`);
    seen.add(key);
  }
}

/** `source`: a path, the object itself, or nothing for the twelve people of the demo. */
export function loadPeople(source) {
  const data = typeof source === 'object' && source
    ? source
    : JSON.parse(readFileSync(source ?? fileURLToPath(new URL('./people.json', import.meta.url)), 'utf8'));
  check(data.organizations, data.people);
  const accounts = new Map();
  for (const person of data.people) {
    const sub = person.sub ?? opaque(`sub:${person.login}@${person.organization}`, 32);
    accounts.set(sub, { acr: PASSWORD_ONLY, amr: ['pwd'], ...person, sub, claims: { ...derived(person), ...person.claims } });
  }
  return {
    organizations: data.organizations,
    accounts,
    organization: (name) => data.organizations.find((o) => o.name === name),
    of: (organization) => [...accounts.values()].filter((p) => p.organization === organization),
    /** The person who gave this name (login, or principal name) and password at this organization, or nothing. */
    authenticate: (organization, name, password) => [...accounts.values()].find(
      (p) => p.organization === organization && p.password === password
        && [p.login, p.claims.eduperson_principal_name].includes(name.trim().toLowerCase()),
    ),
  };
}
