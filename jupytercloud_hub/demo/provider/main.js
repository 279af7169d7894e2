// Starts the made-up OpenID provider of `jupytercloud demo`. It refuses to be anything else: see guard().
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createProvider } from './provider.js';
import { loadKeys } from './keys.js';
import { loadPeople } from './people.js';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Refuses every start that is not the demo's (or a test's) own: the flag, a secret that only the starter knows, loopback. */
function guard(argv, env, config) {
  if (!argv.includes('--demo')) throw new Error('refused: this provider has made-up people only; it is started by `jupytercloud demo`');
  if (!config.demo_secret || config.demo_secret.length < 16 || env.JUPYTERCLOUD_DEMO_SECRET !== config.demo_secret) {
    throw new Error('refused: JUPYTERCLOUD_DEMO_SECRET is not the demo_secret of the configuration (at least 16 characters)');
  }
  if (env.NODE_ENV === 'production') throw new Error('refused: NODE_ENV is production');
  if (!LOOPBACK.has(config.host ?? '127.0.0.1')) throw new Error(`refused: host ${config.host} is not a loopback address`);
}

function readConfig(argv) {
  const at = argv.indexOf('--config');
  if (at < 0 || !argv[at + 1]) throw new Error('usage: node main.js --demo --config FILE');
  return JSON.parse(readFileSync(argv[at + 1], 'utf8'));
}

async function main(argv, env) {
  const config = readConfig(argv);
  guard(argv, env, config);
  // Whoever starts us holds the other end of our standard input: when it dies, however it dies, we end too.
  if (argv.includes('--end-with-stdin')) process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
  const host = config.host ?? '127.0.0.1';
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(config.port ?? 0, host, resolve));
  const issuer = `http://${host.includes(':') ? `[${host}]` : host}:${server.address().port}`;
  const provider = createProvider({
    issuer, config, keys: loadKeys(config.keys), people: loadPeople(config.people), verbose: argv.includes('--verbose'),
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    // A page elsewhere that makes its own name resolve to loopback must not reach the made-up people.
    if (request.headers.host !== new URL(issuer).host) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end('wrong host\n');
      return;
    }
    handle(request, response);
  });
  process.on('SIGTERM', () => process.exit(0)).on('SIGINT', () => process.exit(0));
  process.stdout.write(`${JSON.stringify({ ready: true, issuer })}\n`);
}

main(process.argv.slice(2), process.env).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
