// Proves that `svelte-check` still finds mistakes: it has once been reported to find none at all with TypeScript 6.
// Each file in this folder holds one mistake; the check must name every one of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const args = ['svelte-check', '--workspace', 'canary', '--tsconfig', './tsconfig.json', '--output', 'machine'];
const ran = spawnSync('npx', ['--no-install', ...args], { cwd: web, encoding: 'utf8' });
const missed = ['Canary.svelte', 'missing-translation.ts'].filter(
  (file) => !ran.stdout.split('\n').some((line) => line.includes('ERROR') && line.includes(file)),
);
if (missed.length > 0) {
  console.error(`svelte-check no longer finds the mistake in ${missed.join(', ')}:\n${ran.stdout}${ran.stderr}`);
  process.exit(1);
}
console.log('canary: the checker finds the mistakes that were put there for it');
