/**
 * Listens once for all tabs of this browser. A browser opens at most six connections to one server; with a line of its own
 * each tab would keep one for ever, and the seventh would show nothing.
 */
import { url } from './api';
import { listen, type Heard } from './changes';

const tabs = new Set<MessagePort>();
/** How the line is: told to each tab that joins. */
let line: Heard | undefined;

listen(url.changes, (heard) => {
  if (heard.kind === 'open' || heard.kind === 'down') line = heard;
  for (const tab of tabs) tab.postMessage(heard);
});

addEventListener('connect', (event) => {
  const tab = (event as MessageEvent).ports[0];
  if (!tab) return;
  tab.onmessage = ({ data }: MessageEvent<'hello' | 'bye'>) => {
    if (data === 'bye') {
      tabs.delete(tab);
      return;
    }
    tabs.add(tab);
    if (line) tab.postMessage(line);
  };
});
