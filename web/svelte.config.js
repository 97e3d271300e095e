// Read by vite-plugin-svelte and svelte-check: runes everywhere, no legacy mode.
export default { compilerOptions: { runes: true } };
