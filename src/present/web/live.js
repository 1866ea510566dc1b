// What the server says, as it says it: one event stream fills these maps, and views listen.
//
// The browser reconnects by itself and sends the last event's id, so that the server continues where it broke
// off; after a restart of the server the id is unknown there and a new snapshot replaces everything. A stream
// that the server declines (too many open pages) becomes a poll every few seconds.
import {setServerTime} from './format.js';

const pollMs = 5000;
const reopenMs = 15000;
const recentScores = 40;

export const live = new EventTarget();
export const hosts = new Map();
export const incidents = new Map();
export const runtime = {status: null, connection: 'connecting', frozen: false, lastEventMs: 0};

let waiting = null; // what came while the view was frozen

async function get(path) {
  const response = await fetch(path, {headers: {accept: 'application/json'}});
  const body = await response.json();
  if (body.status !== 'success') throw Object.assign(new Error(body.error), {code: response.status});
  return body.data;
}
// Relative, so that a reverse proxy may serve the page below a path of its own.
export const api = (path) => get(`api/v1/${path}`);

function takeHost(row) {
  const before = hosts.get(row.host);
  const recent = row.recent || (before && before.recent) || [];
  if (!row.recent && before && before.last_point !== row.last_point) recent.push(row.score);
  while (recent.length > recentScores) recent.shift();
  hosts.set(row.host, {...row, recent});
}

function apply(data, isSnapshot) {
  if (isSnapshot) {
    hosts.clear();
    incidents.clear();
  }
  data.hosts.forEach(takeHost);
  for (const row of data.incidents) incidents.set(row.id, row);
  if (data.status) runtime.status = data.status;
  live.dispatchEvent(new CustomEvent('change', {detail: {
    isSnapshot,
    hosts: new Set(data.hosts.map((row) => row.host)),
    incidents: new Set(data.incidents.map((row) => row.id)),
    status: Boolean(data.status),
  }}));
}

const byKey = (key, older, newer) => [...new Map([...older, ...newer].map((row) => [row[key], row])).values()];

function take(data, isSnapshot) {
  runtime.lastEventMs = Date.now();
  if (!runtime.frozen) {
    apply(data, isSnapshot);
  } else if (isSnapshot || !waiting) {
    waiting = {data, isSnapshot};
  } else {
    waiting.data = {
      hosts: byKey('host', waiting.data.hosts, data.hosts),
      incidents: byKey('id', waiting.data.incidents, data.incidents),
      status: data.status || waiting.data.status,
    };
  }
}

function setConnection(connection) {
  if (runtime.connection === connection) return;
  runtime.connection = connection;
  live.dispatchEvent(new Event('connection'));
}

export function freeze(frozen) {
  runtime.frozen = frozen;
  if (!frozen && waiting) {
    const {data, isSnapshot} = waiting;
    waiting = null;
    apply(data, isSnapshot);
  }
  live.dispatchEvent(new Event('connection'));
}

// How far the two clocks are apart; asked again after every reconnection.
export async function readRuntime() {
  const info = await api('status/runtimeinfo');
  setServerTime(info.server_time);
  return info;
}

let poller = 0;
async function poll() {
  try {
    const [hostRows, incidentRows, status] = await Promise.all([api('hosts'), api('incidents'), api('status/runtimeinfo')]);
    for (const row of hostRows) row.recent = (hosts.get(row.host) || {recent: []}).recent.concat(row.score).slice(-recentScores);
    take({hosts: hostRows, incidents: incidentRows, status}, true);
    setConnection('polling');
  } catch {
    setConnection('lost');
  }
}

export function connect() {
  const stream = new EventSource('api/v1/events');
  const receive = (event) => {
    setConnection('live');
    take(JSON.parse(event.data), event.type === 'snapshot');
  };
  stream.addEventListener('snapshot', receive);
  stream.addEventListener('update', receive);
  stream.addEventListener('open', () => {
    clearInterval(poller);
    poller = 0;
    setConnection('live');
    readRuntime().catch(() => {});
  });
  stream.addEventListener('error', () => {
    if (stream.readyState !== EventSource.CLOSED) {
      setConnection('lost'); // the browser tries again by itself
      return;
    }
    if (!poller) poller = setInterval(poll, pollMs);
    poll();
    setTimeout(connect, reopenMs);
  });
}
