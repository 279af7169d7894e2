// Sessions, codes and tokens, in memory: they end with the demo; keys and clients are kept elsewhere.
const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']);
const entries = new Map(); // "Model:id" → { payload, ends (ms) }
const keyOfUid = new Map();

setInterval(() => {
  const now = Date.now();
  for (const [key, { ends }] of entries) if (ends < now) entries.delete(key);
}, 60_000).unref();

/** The adapter contract of oidc-provider (upsert, find, consume, destroy, revokeByGrantId). */
export class MemoryStore {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    entries.set(this.key(id), { payload, ends: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (this.model === 'Session') keyOfUid.set(payload.uid, this.key(id));
  }

  async find(id) {
    return this.#live(this.key(id));
  }

  async findByUid(uid) {
    return this.#live(keyOfUid.get(uid));
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    const payload = this.#live(this.key(id));
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    entries.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of entries) {
      if (payload.grantId === grantId && GRANTABLE.has(key.split(':', 1)[0])) entries.delete(key);
    }
  }

  #live(key) {
    const entry = entries.get(key);
    return entry && entry.ends >= Date.now() ? entry.payload : undefined;
  }
}
