// The frame around the views: where we are, what Sentinel may do, whether what is shown is live.
import {attribute, h, text} from './dom.js';
import {age} from './format.js';
import {actionsView} from './actions.js';
import {connect, freeze, hosts, incidents, live, readRuntime, runtime, api} from './live.js';
import {hostView} from './host.js';
import {hostsView} from './hosts.js';
import {deed, incidentView, incidentsView} from './incidents.js';
import {statusView} from './status.js';

const $ = (id) => document.getElementById(id);
let view = null;

// '#/hosts/web-1?range=1h' -> view, parameters. A host's name may hold a slash: it is one encoded part.
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [section, name] = path.split('/');
  const params = new URLSearchParams(query);
  const item = name ? decodeURIComponent(name) : '';
  if (section === 'hosts' && item) return ['hosts', () => hostView(item, params)];
  if (section === 'incidents' && item) return ['incidents', () => incidentView(item)];
  if (section === 'incidents') return ['incidents', () => incidentsView(params)];
  if (section === 'actions') return ['actions', () => actionsView(params)];
  if (section === 'status') return ['status', statusView];
  return ['hosts', () => hostsView(params)];
}

function navigate() {
  const [name, create] = route();
  if (view) view.destroy();
  view = create();
  $('main').replaceChildren(view.root);
  for (const link of $('nav').children) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  drawTitle();
  scrollTo(0, 0);
  view.mounted();
}

// A tab in the background tells how many hosts are in trouble.
function drawTitle() {
  const troubled = [...hosts.values()].filter((host) => host.state === 'ANOMALY' || host.state === 'HEALING').length;
  const title = `${troubled ? `(${troubled}) ` : ''}${view.title} · Sentinel`;
  if (document.title !== title) document.title = title;
}

const pill = (tone, words, title) => h('span', {class: 'pill', 'data-tone': tone, title}, words);

function helperPill(status) {
  const {helpers, mode} = status;
  if (!helpers.length) return pill('quiet', 'no helper', 'No helper is configured: nothing can be ended.');
  const away = helpers.filter((helper) => !helper.reachable), paused = helpers.filter((helper) => helper.paused);
  const refused = helpers.filter((helper) => helper.reachable && !helper.policy_ok), watching = helpers.filter((helper) => helper.mode === 'observe');
  const some = (list) => (helpers.length > 1 ? ` (${list.length} of ${helpers.length})` : '');
  if (away.length) return pill('bad', `helper away${some(away)}`, away.map((helper) => `${helper.path}: ${helper.text}`).join('\n'));
  if (refused.length) return pill('bad', `helper policy refused${some(refused)}`, refused.map((helper) => `${helper.path}: ${helper.text}`).join('\n'));
  if (paused.length) return pill('warn', `helper paused${some(paused)}`, 'A person has paused the helper: it signals nobody.');
  if (mode === 'act' && watching.length) return pill('warn', `helper only observes${some(watching)}`, 'The server may act, but the helper’s own policy says observe: it signals nobody.');
  const [deeds, budget] = [helpers.reduce((sum, helper) => sum + helper.deeds_last_hour, 0), helpers.reduce((sum, helper) => sum + helper.budget_per_hour, 0)];
  return pill('good', budget ? `helper ready · ${Math.max(0, budget - deeds)} of ${budget} left` : 'helper ready', budget ? `Deeds left in this hour: ${Math.max(0, budget - deeds)} of ${budget}.` : 'The helper answers and its policy is valid.');
}

function drawSafety() {
  const {status} = runtime;
  if (!status) return;
  const acts = status.mode === 'act';
  $('safety').replaceChildren(
    pill(acts ? 'act' : 'observe', acts ? 'ACT' : 'OBSERVE', acts ? 'Sentinel may end runaway processes, as far as its helper’s policy allows.' : 'Sentinel records what it would do, and does nothing.'),
    helperPill(status),
    ...(status.archive_failing ? [pill('bad', 'database failing', 'The last write failed. Records are kept and tried again.')] : []),
    ...(status.config_reload_successful ? [] : [pill('warn', 'reload failed', 'The last configuration was refused; the older one is in force.')]));
}

const connections = {
  live: ['good', 'live'], polling: ['warn', 'polling'], lost: ['bad', 'no connection'], connecting: ['quiet', 'connecting'],
};

function newestSample() {
  let newest = '';
  for (const host of hosts.values()) if (host.last_sample > newest) newest = host.last_sample;
  return newest;
}

function drawConnection() {
  const [tone, words] = connections[runtime.connection];
  const newest = newestSample();
  attribute($('connection'), 'data-tone', runtime.frozen ? 'warn' : tone);
  text($('connection'), runtime.frozen ? 'frozen' : words);
  attribute($('connection'), 'title', newest ? `Newest sample ${age(newest)}` : 'No sample yet');
  attribute($('freeze'), 'aria-pressed', String(runtime.frozen));
  text($('freeze'), runtime.frozen ? 'Resume' : 'Freeze');
  attribute($('freeze'), 'title', 'Hold the view still (p). Sentinel itself goes on.');
  const notice = runtime.frozen ? 'The view is frozen; Sentinel itself goes on. Press p to continue.' :
    runtime.connection === 'lost' ? 'No connection to the server: what you see is old. Trying again.' :
    runtime.connection === 'polling' ? 'Too many open pages for a live stream: asking every few seconds instead.' : '';
  text($('notice'), notice);
  $('notice').hidden = !notice;
}

// applyTheme and themeChoices come from theme.js, which ran before the first paint.
function drawTheme() {
  const {choice} = document.documentElement.dataset;
  text($('theme'), {system: 'Auto', dark: 'Dark', light: 'Light'}[choice]);
  attribute($('theme'), 'aria-label', `Theme: ${choice}. Press for the next one.`);
}
function nextTheme() {
  const next = themeChoices[(themeChoices.indexOf(document.documentElement.dataset.choice) + 1) % themeChoices.length];
  localStorage.setItem('sentinel-theme', next);
  applyTheme(next);
  drawTheme();
}

let pendingG = 0;
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
  const goes = {h: '#/', i: '#/incidents', a: '#/actions', s: '#/status'};
  if (Date.now() - pendingG < 1200 && goes[event.key]) location.hash = goes[event.key];
  else if (event.key === 'p') freeze(!runtime.frozen);
  else if (event.key === '/' && view.focusFilter) {
    event.preventDefault();
    view.focusFilter();
  }
  pendingG = event.key === 'g' ? Date.now() : 0;
}

// A screen reader hears of incidents; hosts that change every two seconds would drown it.
function announce({detail}) {
  if (detail.isSnapshot) return;
  const said = [...detail.incidents].map((id) => incidents.get(id)).map((each) => `${each.host}: incident ${each.state.toLowerCase()}. ${each.action ? deed(each) : ''}`);
  if (said.length) text($('announce'), said.join(' '));
}

live.addEventListener('change', (event) => {
  drawSafety();
  drawConnection();
  drawTitle();
  announce(event);
});
live.addEventListener('connection', drawConnection);
$('freeze').addEventListener('click', () => freeze(!runtime.frozen));
$('theme').addEventListener('click', nextTheme);
addEventListener('keydown', onKey);
addEventListener('hashchange', navigate);
setInterval(drawConnection, 1000);
drawTheme();
api('status/buildinfo').then((build) => text($('build'), `Sentinel ${build.version}`)).catch(() => {});
readRuntime().catch(() => {});
navigate();
drawConnection();
connect();
