import { mount } from 'svelte';
import App from './App.svelte';
import './base.css';
import { alerts } from './lib/alerts.svelte';
import { cameras } from './lib/cameras.svelte';
import { live } from './lib/live.svelte';
import { me } from './lib/me.svelte';
import { router } from './lib/router.svelte';
import { settings } from './lib/settings.svelte';

settings.apply();
router.start();
// Nothing is asked for before it is known who asks.
void me.start().then(() => {
  if (me.state !== 'in') return;
  if (me.can('state')) {
    cameras.start();
    live.start();
  }
  if (me.can('search')) alerts.start();
});

const target = document.getElementById('app');
if (target) mount(App, { target });
