// Incidents: the list, and one incident told from first suspicion to proof.
import {badge, h} from './dom.js';
import {TimeCharts, addScoreCharts} from './charts.js';
import {duration, isNumber, moment, percent, score, serverNow} from './format.js';
import {api, incidents, live} from './live.js';
import {select, table} from './table.js';

const states = ['SUSPECTED', 'OPEN', 'REMEDIATING', 'VERIFYING', 'ESCALATED', 'RESOLVED'];
const isEnded = (incident) => incident.state === 'RESOLVED';
const lasted = (incident) => (isEnded(incident) ? (Date.parse(incident.closed) - Date.parse(incident.opened)) / 1000 : (Date.now() - Date.parse(incident.opened)) / 1000);
const success = ['terminated', 'killed', 'done'];

export function deed(action) {
  if (!action.action || action.action === 'none') return 'Nothing was done';
  const outcome = action.outcome.replaceAll('_', ' ');
  if (!action.target_comm) return `${action.action}: ${outcome}`;
  const target = `${action.target_comm} (pid ${action.target_pid})`;
  if (action.outcome === 'would' || (action.dry_run && action.outcome !== 'refused')) return `Would ${action.action} ${target}`;
  if (action.outcome === 'terminated') return `Ended ${target} with TERM`;
  if (action.outcome === 'killed') return `Ended ${target} with TERM, then KILL`;
  return `${action.action} ${target}: ${outcome}`;
}

export function outcomeBadge(action) {
  const state = success.includes(action.outcome) ? 'RESOLVED' : action.outcome === 'pending' ? 'REMEDIATING' : action.outcome === 'would' || action.outcome === 'gone' ? 'VERIFYING' : 'ESCALATED';
  return badge(state, action.outcome.replaceAll('_', ' '));
}

// Where something was noticed, done and put right, as marks in charts.
export function marksOf(incident) {
  const seconds = (iso) => Date.parse(iso) / 1000;
  const marks = [{at: seconds(incident.first_seen), kind: 'state-ANOMALY'}];
  if (incident.finished && incident.action && incident.action !== 'none') {
    const label = success.includes(incident.outcome) ? `✚ ${incident.action}` : `${incident.action}: ${incident.outcome}`;
    marks.push({at: seconds(incident.finished), kind: 'state-HEALING', strong: true, label});
  }
  if (incident.closed) marks.push({at: seconds(incident.closed), kind: 'state-HEALTHY'});
  return marks;
}

// One line that leads to the incident; on a host's own page its name would say nothing.
export const incidentLine = (incident, withHost = true) => h('a', {class: 'line', href: `#/incidents/${incident.id}`},
  badge(incident.state), h('span', {class: 'line-main'}, withHost ? [h('strong', {}, incident.host), ' '] : '', incident.action ? deed(incident) : incident.why),
  h('span', {class: 'muted'}, moment(incident.opened)));

export function incidentsView(params) {
  const body = h('div', {});
  const host = select('Host', params.get('host') || '', () => ['', ...new Set([...incidents.values()].map((each) => each.host))].sort(), draw);
  const state = select('State', params.get('state') || '', () => ['', ...states], draw);
  const csv = h('a', {class: 'button'}, 'CSV'), json = h('a', {class: 'button'}, 'JSON');
  const root = h('div', {class: 'stack'},
    h('div', {class: 'title'}, h('h1', {}, 'Incidents'), h('div', {class: 'filters'}, host.element, state.element, csv, json)),
    h('section', {class: 'card flush', 'aria-label': 'Incidents'}, body));

  function draw() {
    host.refresh();
    state.refresh();
    const query = new URLSearchParams();
    if (host.value()) query.set('host', host.value());
    if (state.value()) query.set('state', state.value());
    history.replaceState(null, '', `#/incidents${query.size ? '?' + query : ''}`);
    query.set('limit', '10000');
    json.href = `api/v1/incidents?${query}`;
    query.set('format', 'csv');
    csv.href = `api/v1/incidents?${query}`;
    const rows = [...incidents.values()]
      .filter((each) => (!host.value() || each.host === host.value()) && (!state.value() || each.state === state.value()))
      .sort((a, b) => isEnded(a) - isEnded(b) || (a.opened < b.opened ? 1 : -1));
    body.replaceChildren(rows.length === 0 ? h('p', {class: 'muted pad'}, incidents.size ? 'No incident matches.' : 'No incident so far. When a host leaves its own normal, it is told here from first suspicion to proof.') :
      table(['State', 'Host', 'Opened', 'Lasted', 'Trigger', 'What was done', 'Why'], rows, (each) => ({
        href: `#/incidents/${each.id}`,
        cells: [badge(each.state), each.host, moment(each.opened), duration(lasted(each)), each.trigger, each.action ? deed(each) : '–', h('span', {class: 'clip', title: each.why}, each.why)],
      })));
  }
  const onChange = ({detail}) => { if (detail.isSnapshot || detail.incidents.size) draw(); };
  live.addEventListener('change', onChange);
  return {root, title: 'Incidents', mounted: draw, focusFilter: host.focus, destroy: () => live.removeEventListener('change', onChange)};
}

function timeline(incident) {
  const steps = incident.transitions;
  return h('ol', {class: 'timeline'}, steps.map((step, i) => {
    const next = steps[i + 1];
    const until = next ? Date.parse(next.time) : null;
    return h('li', {'data-state': step.to},
      h('div', {class: 'timeline-head'}, badge(step.to), moment(step.time),
        next ? h('span', {class: 'muted'}, `for ${duration((until - Date.parse(step.time)) / 1000)}`) : null),
      h('p', {}, step.why));
  }));
}

function candidateTable(candidates, action) {
  if (!candidates.length) return null;
  return h('details', {}, h('summary', {}, candidates.length === 1 ? 'One process considered' : `${candidates.length} processes considered`),
    table(['Process', 'PID', 'User id', 'CPU', 'Age', 'Where', 'Verdict'], candidates, (each) => ({
      cells: [each.comm, String(each.pid), String(each.uid), percent(each.cpu_ratio), duration(each.age_seconds), h('span', {class: 'clip', title: each.where}, each.where),
        each.pid === action.target_pid ? 'the target' : each.allowed ? each.reason || 'allowed, not the cause' : each.reason || 'not allowed'],
    })));
}

function deedCard(action) {
  const facts = [
    ['Process', action.target_comm ? `${action.target_comm}, pid ${action.target_pid}, user id ${action.target_uid}` : 'none'],
    ['CPU share', isNumber(action.target_cpu_ratio) ? `${percent(action.target_cpu_ratio)} of one CPU, measured by the helper` : '–'],
    ['Where', action.target_where || '–'],
    ['Took', duration(action.action_seconds)],
    ['Answer', action.reason || '–'],
  ];
  return h('article', {class: 'deed'},
    h('div', {class: 'card-head'}, h('h3', {}, deed(action)), outcomeBadge(action), action.dry_run ? h('span', {class: 'pill'}, 'dry run') : null, moment(action.intended)),
    h('dl', {class: 'facts'}, facts.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value)))),
    candidateTable(action.candidates, action));
}

// Two proofs, because a process that is gone does not mean a host that is well.
function proof(incident) {
  const gone = incident.actions.some((action) => success.includes(action.outcome) && !action.dry_run);
  const last = incident.transitions[incident.transitions.length - 1];
  const item = (done, yes, no) => h('li', {'data-done': String(done)}, badge(done ? 'RESOLVED' : 'VERIFYING', done ? 'proven' : 'not proven'), ' ', done ? yes : no);
  return h('ul', {class: 'proof'},
    incident.actions.length ? item(gone, 'The pinned process is gone.', 'No process was ended.') : null,
    item(isEnded(incident), `The host is back to normal: ${last ? last.why : ''}`, 'The host is not back to normal yet.'));
}

// A minute before the first anomalous sample to a minute after the end.
const around = (incident) => [Date.parse(incident.first_seen) / 1000 - 60, (incident.closed ? Date.parse(incident.closed) : serverNow()) / 1000 + 60];

// The score while it happened, for as long as the server remembers the points.
function evidence(incident) {
  const charts = new TimeCharts({window: () => around(incident), marks: () => marksOf(incident)});
  const element = h('section', {class: 'card', 'aria-label': 'The score meanwhile', hidden: true});
  return {
    element,
    async load() {
      const [from, to] = around(incident);
      const points = (await api(`hosts/${encodeURIComponent(incident.host)}/points?since=${from}`)).filter((point) => Date.parse(point.time) / 1000 <= to);
      if (points.length < 2 || !element.isConnected) return;
      element.hidden = false;
      const scores = addScoreCharts(charts);
      element.replaceChildren(h('h2', {}, 'The score meanwhile'), ...scores.elements);
      scores.show(points);
    },
    destroy: () => charts.destroy(),
  };
}

export function incidentView(id) {
  const root = h('div', {class: 'stack'}, h('h1', {class: 'sr'}, 'Incident'));
  let gone = false, shown = null;

  function draw(incident) {
    shown?.destroy();
    shown = evidence(incident);
    root.replaceChildren(
      h('div', {class: 'title'}, h('h1', {}, 'Incident on ', h('a', {href: `#/hosts/${encodeURIComponent(incident.host)}`}, incident.host)), badge(incident.state)),
      h('p', {class: 'verdict'}, incident.why),
      h('section', {class: 'card', 'aria-label': 'Summary'}, h('dl', {class: 'facts wide'}, [
        ['Raised by', incident.rule ? `${incident.trigger} (rule ${incident.rule})` : incident.trigger],
        ['First anomalous sample', moment(incident.first_seen)],
        ['Opened', moment(incident.opened)],
        ['Closed', incident.closed ? moment(incident.closed) : 'still open'],
        ['Lasted', duration(lasted(incident))],
        ['Highest score', score(incident.peak_score)],
        ['Attempts', String(incident.attempts)],
        ['Id', h('code', {class: 'small'}, incident.id)],
      ].map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))))),
      shown.element,
      h('div', {class: 'columns even'},
        h('section', {class: 'card', 'aria-labelledby': 'time-title'}, h('h2', {id: 'time-title'}, 'What happened'), timeline(incident)),
        h('div', {class: 'stack'},
          h('section', {class: 'card', 'aria-labelledby': 'done-title'}, h('h2', {id: 'done-title'}, 'What was done'),
            incident.actions.length ? incident.actions.map(deedCard) : h('p', {class: 'muted'}, 'Nothing: no action was permitted or needed.')),
          h('section', {class: 'card', 'aria-labelledby': 'proof-title'}, h('h2', {id: 'proof-title'}, 'Proof'), proof(incident)))));
    shown.load().catch(() => {}); // a host that is gone has no points; the incident stands without them
  }

  async function refresh() {
    try {
      const incident = await api(`incidents/${encodeURIComponent(id)}`);
      if (!gone) draw(incident);
    } catch (error) {
      if (!gone) root.replaceChildren(h('h1', {}, 'Incident'), h('p', {class: 'card problem', role: 'alert'}, error.message), h('p', {}, h('a', {href: '#/incidents'}, 'All incidents')));
    }
  }
  const onChange = ({detail}) => { if (detail.isSnapshot || detail.incidents.has(id)) refresh(); };
  live.addEventListener('change', onChange);
  return {
    root, title: 'Incident', mounted: refresh,
    destroy() {
      gone = true;
      shown?.destroy();
      live.removeEventListener('change', onChange);
    },
  };
}
