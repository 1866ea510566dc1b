// The remediation log: every deed, also those that were refused, would have been done, or failed.
import {h} from './dom.js';
import {duration, moment, percent} from './format.js';
import {api, live} from './live.js';
import {deed, outcomeBadge} from './incidents.js';
import {select, table} from './table.js';

export function actionsView(params) {
  let actions = [], gone = false;
  const body = h('div', {}, h('p', {class: 'muted pad'}, 'Loading…'));
  const host = select('Host', params.get('host') || '', () => ['', ...new Set(actions.map((each) => each.host))].sort(), draw);
  const outcome = select('Outcome', params.get('outcome') || '', () => ['', ...new Set(actions.map((each) => each.outcome))].sort(), draw);
  const csv = h('a', {class: 'button'}, 'CSV'), json = h('a', {class: 'button'}, 'JSON');
  const root = h('div', {class: 'stack'},
    h('div', {class: 'title'}, h('h1', {}, 'Actions'), h('div', {class: 'filters'}, host.element, outcome.element, csv, json)),
    h('section', {class: 'card flush', 'aria-label': 'Actions'}, body));

  function draw() {
    host.refresh();
    outcome.refresh();
    const query = new URLSearchParams();
    if (host.value()) query.set('host', host.value());
    if (outcome.value()) query.set('outcome', outcome.value());
    history.replaceState(null, '', `#/actions${query.size ? '?' + query : ''}`);
    query.set('limit', '10000');
    json.href = `api/v1/actions?${query}`;
    query.set('format', 'csv');
    csv.href = `api/v1/actions?${query}`;
    const rows = actions.filter((each) => (!host.value() || each.host === host.value()) && (!outcome.value() || each.outcome === outcome.value()));
    body.replaceChildren(rows.length === 0 ? h('p', {class: 'muted pad'}, actions.length ? 'No action matches.' : 'No action so far: nothing was done, and nothing was refused.') :
      table(['Outcome', 'When', 'Host', 'Action', 'CPU', 'Took', 'Answer'], rows, (each) => ({
        href: `#/incidents/${each.incident}`,
        cells: [outcomeBadge(each), moment(each.intended), each.host, deed(each), percent(each.target_cpu_ratio), duration(each.action_seconds), each.reason || '–'],
      })));
  }
  async function refresh() {
    try {
      actions = await api('actions?limit=1000');
      if (!gone) draw();
    } catch (error) {
      if (!gone) body.replaceChildren(h('p', {class: 'pad problem', role: 'alert'}, error.message));
    }
  }
  const onChange = ({detail}) => { if (detail.isSnapshot || detail.incidents.size) refresh(); };
  live.addEventListener('change', onChange);
  return {
    root, title: 'Actions', mounted: refresh, focusFilter: host.focus,
    destroy() {
      gone = true;
      live.removeEventListener('change', onChange);
    },
  };
}
