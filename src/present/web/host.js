// One host: how unusual it is, why, and what was done about it, on one time axis.
import {attribute, badge, h, setBadge, text} from './dom.js';
import {age, ageSeconds, isNumber, percent, quantity, score, serverNow} from './format.js';
import {api, hosts, incidents, live, runtime} from './live.js';
import {TimeCharts, addScoreCharts, hasNumbers} from './charts.js';
import {incidentLine, marksOf} from './incidents.js';

const ranges = {'5m': 300, '15m': 900, '1h': 3600, '3h': 10800};
const plain = (feature) => feature.replaceAll('_', ' ');
const seconds = (iso) => Date.parse(iso) / 1000;

function verdict(host) {
  const against = isNumber(host.score) ? `Score ${score(host.score)} against a threshold of ${score(host.threshold)}` : 'No score yet';
  const incident = incidents.get(host.incident);
  if (host.state === 'STALE') return `No sample for ${age(host.last_sample).replace(' ago', '')}. Nothing is known about this host now, so nothing is done.`;
  if (host.state === 'HEALING') return `${against}. Sentinel acted, and waits for the proof that it helped.`;
  if (host.state === 'ANOMALY' && host.anomalous) return `${against}: far from this host’s own normal.`;
  if (host.state === 'ANOMALY') return `${against}, but ${incident ? `rule ${incident.rule} spoke: ${incident.why}` : 'a rule spoke'}.`;
  if (host.learning) return `Learning what is normal here: ${host.learning_points} of ${host.learning_target} points. A fail-safe rule may still act.`;
  if (host.anomalous) return `${against}: unusual now, and not yet for long enough to count.`;
  return `${against}: within this host’s own normal.`;
}

function leadingTable(leading) {
  if (!leading.length) return h('p', {class: 'muted'}, 'Nothing stands out yet.');
  return h('ol', {class: 'leading'}, leading.map((lead) => {
    const outside = lead.value > lead.usual_high || lead.value < lead.usual_low;
    return h('li', {},
      h('div', {class: 'leading-head'}, h('span', {title: lead.help}, plain(lead.feature)),
        h('strong', {class: outside ? 'outside' : ''}, quantity(lead.value, lead.unit))),
      h('div', {class: 'meter', role: 'img', 'aria-label': `${percent(lead.share)} of the score`},
        h('span', {class: 'meter-fill', style: {width: `${100 * (lead.share || 0)}%`}})),
      h('div', {class: 'muted small'}, `usually ${quantity(lead.usual_low, lead.unit)} to ${quantity(lead.usual_high, lead.unit)}, ${percent(lead.share)} of the score`));
  }));
}

export function hostView(name, params) {
  let range = ranges[params.get('range')] ? params.get('range') : '15m';
  let points = [];
  let busy = false, again = false, gone = false;

  const state = badge('LEARNING');
  const sentence = h('p', {class: 'verdict'});
  const lastSample = h('span', {class: 'muted'});
  const why = h('div', {});
  const facts = h('dl', {class: 'facts'});
  const history = h('div', {class: 'lines'});
  const chartArea = h('div', {class: 'charts'});
  const featureArea = h('div', {class: 'feature-charts'});
  const rangeButtons = Object.keys(ranges).map((key) => h('button', {type: 'button', class: 'segment', 'aria-pressed': String(key === range), onclick: () => setRange(key)}, key));
  const failure = h('p', {class: 'card problem', role: 'alert', hidden: true});
  const root = h('div', {class: 'stack'}, failure,
    h('div', {class: 'title'}, h('h1', {}, name), state, lastSample),
    sentence,
    h('div', {class: 'columns host-columns'},
      h('section', {class: 'card', 'aria-label': 'Score and state'},
        h('div', {class: 'card-head'}, h('h2', {}, 'Score and state'), h('div', {class: 'segments', role: 'group', 'aria-label': 'Time range'}, rangeButtons)),
        chartArea,
        h('p', {class: 'muted small'}, 'Drag to zoom, double-click to zoom out. Dashed lines: first anomalous sample and recovery. Solid line: what Sentinel did.')),
      h('div', {class: 'stack host-aside'},
        h('section', {class: 'card', 'aria-labelledby': 'why-title'}, h('h2', {id: 'why-title'}, 'What leads the score'), why),
        h('section', {class: 'card', 'aria-labelledby': 'history-title'}, h('h2', {id: 'history-title'}, 'Incidents of this host'), history),
        h('section', {class: 'card', 'aria-labelledby': 'model-title'}, h('h2', {id: 'model-title'}, 'Model'), facts)),
      h('section', {class: 'card', 'aria-labelledby': 'features-title'}, h('h2', {id: 'features-title'}, 'Features'), featureArea)));

  const span = () => {
    const last = points.length ? seconds(points[points.length - 1].time) : serverNow() / 1000;
    const end = Math.max(last, serverNow() / 1000 - 5); // a stale host's line ends before the axis does
    return [end - ranges[range], end];
  };
  const zoomed = [Number(params.get('from')), Number(params.get('to'))];
  const charts = new TimeCharts({
    window: span,
    marks: () => [...incidents.values()].filter((incident) => incident.host === name).flatMap(marksOf),
    zoomed: zoomed[0] > 0 && zoomed[1] > zoomed[0] ? zoomed : null,
    onzoom: (zoom) => remember(zoom ? `from=${Math.floor(zoom[0])}&to=${Math.ceil(zoom[1])}` : `range=${range}`),
  });
  let scores = null;
  const features = new Map();

  const remember = (query) => window.history.replaceState(null, '', `#/hosts/${encodeURIComponent(name)}?${query}`);
  function setRange(key) {
    range = key;
    charts.zoomOut();
    rangeButtons.forEach((button) => attribute(button, 'aria-pressed', String(button.textContent === key)));
  }

  function drawCharts(detail) {
    if (!scores) {
      scores = addScoreCharts(charts);
      chartArea.append(...scores.elements);
    }
    scores.show(points);
    const times = points.map((point) => seconds(point.time));
    for (const {feature, unit, help} of detail.features) {
      const values = points.map((point) => point[feature] ?? null);
      if (!features.has(feature)) {
        if (!hasNumbers(values)) continue; // this host does not export it
        const chart = charts.add({title: plain(feature), unit, help, series: [{stroke: 'line', fill: 'line-fill'}], range: unit === 'ratio' ? () => [0, 1] : undefined});
        features.set(feature, chart);
        featureArea.append(chart.element);
      }
      charts.set(features.get(feature), [times, values]);
      const rank = detail.leading.findIndex((lead) => lead.feature === feature);
      attribute(features.get(feature).element, 'data-leading', detail.state === 'ANOMALY' && rank === 0 ? 'first' : '');
    }
  }

  function drawFacts(detail) {
    const entries = [
      ['Window', `${detail.window_points} points`], ['Memory', quantity(detail.model_bytes, 'bytes')],
      ['Series', String(detail.series)], ['Helper', detail.helper || 'none: this host is only watched'],
    ];
    facts.replaceChildren(...entries.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))));
  }

  function drawHistory() {
    const own = [...incidents.values()].filter((incident) => incident.host === name).sort((a, b) => (a.opened < b.opened ? 1 : -1)).slice(0, 8);
    history.replaceChildren(...(own.length ? own.map((incident) => incidentLine(incident, false)) : [h('p', {class: 'muted'}, 'None so far.')]));
  }

  function drawAge(detail) {
    text(lastSample, `last sample ${age(detail.last_sample)}`);
    attribute(lastSample, 'data-late', String(ageSeconds(detail.last_sample) > 60));
  }

  // The stream says that this host has changed; the points since the last one are fetched, so that nothing is
  // missing after a gap in the stream either.
  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const path = `hosts/${encodeURIComponent(name)}`;
      const since = points.length ? `?since=${seconds(points[points.length - 1].time) + 0.001}` : '';
      const [detail, newer] = await Promise.all([api(path), api(`${path}/points${since}`)]);
      if (gone) return;
      const horizon = span()[1] - ranges['3h'];
      points = points.concat(newer).filter((point) => seconds(point.time) > horizon);
      failure.hidden = true;
      setBadge(state, detail.state, detail.state === 'LEARNING' ? `LEARNING ${detail.learning_points}/${detail.learning_target}` : detail.state);
      text(sentence, verdict(detail));
      drawAge(detail);
      why.replaceChildren(leadingTable(detail.leading));
      drawFacts(detail);
      drawCharts(detail);
    } catch (error) {
      failure.hidden = false;
      failure.textContent = error.code === 404 ? `${error.message}.` : `The server does not answer (${error.message}). What you see may be old.`;
    } finally {
      busy = false;
      if (again && !gone) {
        again = false;
        refresh();
      }
    }
  }

  const onChange = ({detail}) => {
    if (detail.isSnapshot || detail.hosts.has(name)) refresh();
    if (detail.isSnapshot || detail.incidents.size) drawHistory();
  };
  const ticker = setInterval(() => { if (hosts.has(name) && !runtime.frozen) drawAge(hosts.get(name)); }, 1000);
  live.addEventListener('change', onChange);
  return {
    root, title: name,
    mounted() {
      refresh();
      drawHistory();
    },
    destroy() {
      gone = true;
      clearInterval(ticker);
      live.removeEventListener('change', onChange);
      charts.destroy();
    },
  };
}
