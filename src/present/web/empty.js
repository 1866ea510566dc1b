// What a person sees who has just installed this: the exact lines that make the first host appear.
import {h} from './dom.js';
import {readRuntime} from './live.js';

const block = (url) => `remote_write:
  - url: ${url}
    queue_config:
      batch_send_deadline: 100ms   # the default of 5s delays every decision
`;

export function emptyState() {
  const code = h('code', {}, block('http://127.0.0.1:9201/api/v1/write'));
  const copy = h('button', {type: 'button', class: 'button', onclick: async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = 'Copied';
  }}, 'Copy');
  readRuntime().then((info) => { if (info.remote_write_url) code.textContent = block(info.remote_write_url); }).catch(() => {});
  return h('section', {class: 'card empty', 'aria-labelledby': 'empty-title'},
    h('h2', {id: 'empty-title'}, 'No host has sent data yet'),
    h('ol', {},
      h('li', {}, 'Have Prometheus scrape a node_exporter on each host.'),
      h('li', {}, 'Add this block to ', h('code', {}, 'prometheus.yml'), ' and reload Prometheus:',
        h('pre', {class: 'code'}, code), copy),
      h('li', {}, 'The host appears here as LEARNING with its first point, and is judged after 15 of them.')),
    h('p', {class: 'muted'}, 'Nothing after a minute? Prometheus says why in its log, and ',
      h('code', {}, 'sentinel_remote_write_requests_total'), ' at ', h('a', {href: 'metrics'}, '/metrics'),
      ' counts what arrives here.'));
}
