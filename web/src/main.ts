import { mount } from 'svelte';
import App from './App.svelte';
import './base.css';
import { alerts } from './lib/alerts.svelte';
import { cameras } from './lib/cameras.svelte';
import { live } from './lib/live.svelte';
import { router } from './lib/router.svelte';
import { settings } from './lib/settings.svelte';

settings.apply();
router.start();
cameras.start();
alerts.start();
live.start();

const target = document.getElementById('app');
if (target) mount(App, { target });
