// All hosts, worst first. Only the rows on the screen exist, so that two thousand hosts scroll like twenty.
import {attribute, badge, h, setBadge, svg, text} from './dom.js';
import {emptyState} from './empty.js';
import {age, isNumber, percent, score} from './format.js';
import {hosts, incidents, live, runtime} from './live.js';
import {incidentLine} from './incidents.js';

const order = ['HEALING', 'ANOMALY', 'STALE', 'LEARNING', 'HEALTHY'];
const meaning = {
  HEALING: 'Sentinel acted and waits for the proof',
  ANOMALY: 'far from this host’s own normal',
  STALE: 'no samples arrive: nothing is known',
  LEARNING: 'too few points for a judgement yet',
  HEALTHY: 'within this host’s own normal',
};
const overscan = 6;

function compare(a, b) {
  if (a.state !== b.state) return order.indexOf(a.state) - order.indexOf(b.state);
  if (a.state === 'ANOMALY' && a.score !== b.score) return b.score - a.score;
  return a.host < b.host ? -1 : a.host > b.host ? 1 : 0;
}

// Scores live between 0.3 and 0.8; the rest of the range would only make the line flat.
function sparkline(scores, threshold) {
  const width = 120, height = 28, lowest = 0.25, highest = 0.85;
  const y = (value) => (height - 2 - (Math.min(highest, Math.max(lowest, value)) - lowest) / (highest - lowest) * (height - 4)).toFixed(1);
  const step = width / Math.max(1, scores.length - 1);
  let path = '';
  scores.forEach((value, i) => {
    if (isNumber(value)) path += `${path && isNumber(scores[i - 1]) ? 'L' : 'M'}${(i * step).toFixed(1)} ${y(value)}`;
  });
  return [path, isNumber(threshold) ? `M0 ${y(threshold)}H${width}` : ''];
}

function createRow(host) {
  const parts = {
    badge: badge(host.state),
    name: h('span', {class: 'row-name'}, host.host),
    fill: h('span', {class: 'meter-fill'}),
    tick: h('span', {class: 'meter-tick'}),
    number: h('span', {class: 'row-score'}),
    line: svg('path', {class: 'spark-line'}),
    limit: svg('path', {class: 'spark-limit'}),
    cpu: h('span', {class: 'row-cpu'}),
    age: h('span', {class: 'row-age'}),
  };
  const link = h('a', {class: 'row', href: `#/hosts/${encodeURIComponent(host.host)}`},
    parts.badge, parts.name,
    h('span', {class: 'row-meter'}, h('span', {class: 'meter'}, parts.fill, parts.tick), parts.number),
    svg('svg', {class: 'spark', viewBox: '0 0 120 28', preserveAspectRatio: 'none', 'aria-hidden': 'true'}, parts.limit, parts.line),
    parts.cpu, parts.age);
  return {element: h('div', {role: 'listitem', class: 'row-place'}, link), link, parts};
}

function updateRow(row, host) {
  const {parts} = row;
  const learning = host.learning;
  attribute(row.link, 'data-state', host.state);
  setBadge(parts.badge, host.state, host.state === 'LEARNING' ? `LEARNING ${host.learning_points}/${host.learning_target}` : host.state);
  parts.fill.style.width = `${100 * (learning ? host.learning_points / host.learning_target : host.score || 0)}%`;
  parts.tick.style.left = `${100 * (host.threshold || 0)}%`;
  parts.tick.hidden = learning || !isNumber(host.threshold);
  text(parts.number, learning ? 'learning' : `${score(host.score)} of ${score(host.threshold)}`);
  const [line, limit] = sparkline(host.recent, host.threshold);
  attribute(parts.line, 'd', line);
  attribute(parts.limit, 'd', limit);
  text(parts.cpu, `CPU ${percent(host.cpu_busy)}`);
  text(parts.age, age(host.last_sample));
  attribute(row.link, 'aria-label', `${host.host}: ${host.state}` +
    (learning ? `, ${host.learning_points} of ${host.learning_target} points` : `, score ${score(host.score)}, threshold ${score(host.threshold)}`) +
    `, CPU ${percent(host.cpu_busy)}, last sample ${age(host.last_sample)}`);
}

export function hostsView(params) {
  let wantedState = order.includes(params.get('state')) ? params.get('state') : '';
  const rows = new Map();
  let shown = [];

  const chips = new Map(order.map((state) => [state, h('button', {
    type: 'button', class: 'chip', 'data-state': state, 'aria-pressed': 'false', title: `${state}: ${meaning[state]}`,
    onclick: () => {
      wantedState = wantedState === state ? '' : state;
      remember();
      refresh();
    }}, badge(state), h('strong', {}, '0'))]));
  const filter = h('input', {type: 'search', class: 'filter', placeholder: 'Filter hosts', 'aria-label': 'Filter hosts by name', value: params.get('q') || '', oninput: () => { remember(); refresh(); }});
  const list = h('div', {class: 'rows', role: 'list', 'aria-label': 'Hosts, worst first', onkeydown: moveFocus});
  const none = h('p', {class: 'muted pad'}, 'No host matches.');
  const recent = h('section', {class: 'card', 'aria-labelledby': 'recent-title'},
    h('h2', {id: 'recent-title'}, 'Latest incidents'), h('div', {class: 'lines'}));
  const main = h('div', {class: 'stack'},
    h('div', {class: 'chips', role: 'group', 'aria-label': 'Hosts by state'}, [...chips.values()], filter),
    h('section', {class: 'card flush', 'aria-label': 'Hosts'}, list, none), recent);
  const root = h('div', {}, h('h1', {class: 'sr'}, 'Hosts'));

  function remember() {
    const query = new URLSearchParams();
    if (wantedState) query.set('state', wantedState);
    if (filter.value) query.set('q', filter.value);
    history.replaceState(null, '', `#/${query.size ? '?' + query : ''}`);
  }

  function moveFocus(event) {
    const step = {ArrowDown: 1, j: 1, ArrowUp: -1, k: -1}[event.key];
    const place = shown.findIndex((host) => rows.get(host.host)?.link === document.activeElement);
    if (!step || place < 0) return;
    const next = shown[Math.min(shown.length - 1, Math.max(0, place + step))];
    event.preventDefault();
    rows.get(next.host)?.link.focus();
  }

  // The order in the document is the order on the screen, for readers and for the Tab key. A row is kept by its
  // host's name, and one that moves keeps the focus.
  function putInOrder(visible) {
    const focused = document.activeElement;
    visible.forEach((row, i) => {
      if (list.children[i] !== row.element) list.insertBefore(row.element, list.children[i] || null);
    });
    if (focused !== document.activeElement && list.contains(focused)) focused.focus({preventScroll: true});
  }

  function draw() {
    const height = parseFloat(getComputedStyle(list).getPropertyValue('--row-height')) || 56;
    list.style.height = `${shown.length * height}px`;
    const top = list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / height) - overscan);
    const last = Math.min(shown.length, Math.ceil((innerHeight - top) / height) + overscan);
    const visible = [];
    for (let place = first; place < last; place++) {
      const host = shown[place];
      if (!rows.has(host.host)) rows.set(host.host, createRow(host));
      const row = rows.get(host.host);
      updateRow(row, host);
      row.element.style.transform = `translateY(${place * height}px)`;
      attribute(row.element, 'aria-posinset', String(place + 1));
      attribute(row.element, 'aria-setsize', String(shown.length));
      visible.push(row);
    }
    for (const [name, row] of rows) {
      if (visible.includes(row)) continue;
      row.element.remove();
      rows.delete(name);
    }
    putInOrder(visible);
  }

  function drawRecent() {
    const newest = [...incidents.values()].sort((a, b) => (a.opened < b.opened ? 1 : -1)).slice(0, 5);
    recent.hidden = hosts.size === 0;
    recent.lastChild.replaceChildren(...(newest.length ? newest.map((incident) => incidentLine(incident)) : [h('p', {class: 'muted'}, 'None so far.')]));
  }

  function refresh() {
    const content = hosts.size === 0 && runtime.connection !== 'connecting' ? 'empty' : 'list';
    if (root.dataset.content !== content) {
      root.dataset.content = content;
      root.replaceChildren(root.firstChild, content === 'empty' ? emptyState() : main);
    }
    const word = filter.value.trim().toLowerCase();
    const counts = new Map(order.map((state) => [state, 0]));
    shown = [];
    for (const host of hosts.values()) {
      counts.set(host.state, counts.get(host.state) + 1);
      if ((!wantedState || host.state === wantedState) && host.host.toLowerCase().includes(word)) shown.push(host);
    }
    shown.sort(compare);
    for (const [state, chip] of chips) {
      text(chip.lastChild, String(counts.get(state)));
      attribute(chip, 'aria-pressed', String(wantedState === state));
    }
    none.hidden = shown.length > 0;
    draw();
  }

  const onChange = ({detail}) => {
    refresh();
    if (detail.isSnapshot || detail.incidents.size) drawRecent();
  };
  const ticker = setInterval(() => { if (!runtime.frozen) draw(); }, 1000);
  live.addEventListener('change', onChange);
  live.addEventListener('connection', refresh);
  addEventListener('scroll', draw, {passive: true});
  addEventListener('resize', draw);
  return {
    root, title: 'Hosts', focusFilter: () => filter.focus(),
    mounted() {
      refresh();
      drawRecent();
    },
    destroy() {
      clearInterval(ticker);
      live.removeEventListener('change', onChange);
      live.removeEventListener('connection', refresh);
      removeEventListener('scroll', draw);
      removeEventListener('resize', draw);
    },
  };
}
