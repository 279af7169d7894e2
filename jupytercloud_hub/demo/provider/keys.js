// The provider's keys, made once and kept, so that what was signed before a restart is still good after it.
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const PEM = { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } };

function signingKey(type, options, alg) {
  // By way of PEM: Node 20 waits for itself for ever where the key that was just made is exported and collected at once.
  const { privateKey } = generateKeyPairSync(type, { ...options, ...PEM });
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }), alg, use: 'sig', kid: randomBytes(8).toString('hex') };
}

function makeKeys() {
  return {
    jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }, 'RS256'), signingKey('ec', { namedCurve: 'P-256' }, 'ES256')] },
    cookies: [randomBytes(32).toString('hex')],
    pairwise: randomBytes(32).toString('hex'),
  };
}

/** Reads the keys at `path`, or makes them there (mode 600); without a path they live as long as the process. */
export function loadKeys(path) {
  if (!path) return makeKeys();
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw new Error(`${path}: ${error.message}; remove the file to have new keys made`);
  }
  const keys = makeKeys();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(keys), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return keys;
}
