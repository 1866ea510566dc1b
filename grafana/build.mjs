// node grafana/build.mjs          writes dashboards/*/*.json
// node grafana/build.mjs --check  says which of them are not what this file makes (exit 1)
//
// One description of every dashboard, so that the variants of the stores cannot drift apart. Rules kept
// here: every panel has a description and a unit, data sources are variables, and a variable that stands in SQL has
// no allValue (Grafana would paste it unquoted).
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

// What differs between the stores. Prometheus has no type: it keeps no records, only how many there were. A time stands as `<name>_at` (timestamptz) in Postgres, and as
// `<name>_epoch` (seconds) in SQLite, whose source takes a number in a time column as seconds.
const stores = {
  postgres: {
    type: 'grafana-postgresql-datasource', suffix: '', title: '',
    time: (column) => `${column}_at`,
    within: (column) => `$__timeFilter(${column}_at)`,
    seconds: (from, to) => `EXTRACT(EPOCH FROM ${to}_at - ${from}_at)::float8`,
    yesNo: (column) => `CASE WHEN ${column} THEN 'yes' ELSE 'no' END`,
    target: (sql, format) => ({rawSql: sql, rawQuery: true, editorMode: 'code', format: format === 'table' ? 'table' : 'time_series'}),
  },
  sqlite: {
    type: 'frser-sqlite-datasource', suffix: '-sqlite', title: ' (SQLite)',
    time: (column) => `${column}_epoch`,
    within: (column) => `${column}_epoch BETWEEN $__from / 1000.0 AND $__to / 1000.0`,
    seconds: (from, to) => `CAST(${to}_epoch - ${from}_epoch AS REAL)`,
    yesNo: (column) => `CASE ${column} WHEN 1 THEN 'yes' ELSE 'no' END`,
    target: (sql, format, times) => ({queryText: sql, rawQueryText: sql, queryType: format === 'table' ? 'table' : 'time series', timeColumns: times}),
  },
  prometheus: {suffix: '-prometheus', title: ' (Prometheus)'},
};

const states = [['LEARNING', 'blue'], ['HEALTHY', 'green'], ['ANOMALY', 'red'], ['HEALING', 'purple'], ['STALE', '#8e98ad']];
const prometheus = {type: 'prometheus', uid: '${datasource}'};
const prom = (expr, legend, extra = {}) => ({refId: '', datasource: prometheus, expr, legendFormat: legend, editorMode: 'code', range: true, ...extra});
const instant = (expr, legend) => prom(expr, legend, {instant: true, range: false});
const sql = (store, text, format = 'table', times = ['time']) => ({refId: '', datasource: {type: store.type, uid: '${incidents}'}, ...store.target(text.replace(/\s+/g, ' ').trim(), format, times)});

const thresholds = (...steps) => ({mode: 'absolute', steps: steps.map(([value, color]) => ({value, color}))});
const plain = thresholds([null, 'text']);
const bad = thresholds([null, 'green'], [1, 'red']);
const valueMap = (pairs) => [{type: 'value', options: Object.fromEntries(pairs.map(([value, text, color], index) => [String(value), {text, color, index}]))}];
const stateMap = valueMap(states.map(([state, color], i) => [i + 1, state, color]));
const byName = (name, ...properties) => ({matcher: {id: 'byName', options: name}, properties: properties.map(([id, value]) => ({id, value}))});

// A panel without its place; rows() gives ids and places.
const panel = (type, title, description, targets, {unit, width = 12, height = 8, defaults = {}, overrides = [], options = {}, links} = {}) => ({
  type, title, description, width, height,
  datasource: targets[0].datasource,
  targets: targets.map((target, i) => ({...target, refId: String.fromCharCode(65 + i)})),
  fieldConfig: {defaults: {...(unit ? {unit} : {}), ...defaults}, overrides},
  options, ...(links ? {links} : {}),
});
const lines = (title, description, targets, {unit, custom = {}, defaults = {}, ...rest}) => panel('timeseries', title, description, targets, {
  unit, ...rest,
  defaults: {min: 0, color: {mode: 'palette-classic'}, ...defaults, custom: {lineWidth: 1, fillOpacity: 8, showPoints: 'never', spanNulls: false, ...custom}},
  options: {legend: {displayMode: 'list', placement: 'bottom', showLegend: true}, tooltip: {mode: 'multi', sort: 'desc'}},
});
const stat = (title, description, targets, {unit, defaults = {}, options = {}, width = 4, ...rest}) => panel('stat', title, description, targets, {
  unit, width, height: 4, ...rest,
  defaults: {thresholds: plain, ...defaults},
  options: {colorMode: 'value', graphMode: 'none', justifyMode: 'auto', textMode: 'auto', reduceOptions: {calcs: ['lastNotNull'], fields: '', values: false}, ...options},
});
const table = (title, description, targets, {overrides = [], ...rest}) => panel('table', title, description, targets, {width: 24, height: 9, ...rest, overrides, options: {showHeader: true, cellHeight: 'sm'}});
const timeline = (selector, title, height) => panel('state-timeline', title, 'LEARNING, HEALTHY, ANOMALY, HEALING or STALE, on the same time axis as the scores below.', [
  prom(`sum by (host) (${states.map(([state], i) => `sentinel_host_state{${selector}, state="${state}"} * ${i + 1}`).join(' or ')})`, '{{host}}', {interval: '2s'}),
], {width: 24, height, defaults: {mappings: stateMap, custom: {fillOpacity: 80, lineWidth: 0}}, options: {mergeValues: true, showValue: 'auto', rowHeight: 0.8, legend: {displayMode: 'list', placement: 'bottom', showLegend: true}, tooltip: {mode: 'single'}}});

// Rows are titles with panels under them, filled from left to right.
function rows(...sections) {
  const panels = [];
  let id = 1, y = 0;
  for (const [title, ...members] of sections) {
    panels.push({id: id++, type: 'row', title, collapsed: false, gridPos: {x: 0, y: y++, w: 24, h: 1}, panels: []});
    let x = 0, tallest = 0;
    for (const {width, height, ...member} of members) {
      if (x + width > 24) {
        y += tallest;
        x = tallest = 0;
      }
      panels.push({id: id++, ...member, gridPos: {x, y, w: width, h: height}});
      x += width;
      tallest = Math.max(tallest, height);
    }
    y += tallest;
  }
  return panels;
}

const source = (name, label, type) => ({type: 'datasource', name, label, query: type, refresh: 1, hide: 0, current: {}, options: [], regex: '', includeAll: false, multi: false});
const labelValues = (name, label, query, {multi = true} = {}) => ({
  type: 'query', name, label, datasource: prometheus, definition: query, query: {query, refId: name}, refresh: 2, sort: 1, hide: 0, regex: '', options: [],
  multi, includeAll: multi, current: multi ? {text: ['All'], value: ['$__all']} : {},
});
const incidentSource = (store) => store.type ? [source('incidents', 'Incidents', store.type)] : [];
const page = {type: 'textbox', name: 'page', label: 'Live page', query: 'http://127.0.0.1:9201', current: {text: 'http://127.0.0.1:9201', value: 'http://127.0.0.1:9201'}, options: [], hide: 0};
const job = labelValues('job', 'Job', 'label_values(sentinel_build_info, job)');
const own = 'job=~"$job"', each = 'job=~"$job", host=~"$host"';

const heals = (store) => !store.type ? [] : [{
  name: 'Heals', enable: true, iconColor: 'purple', datasource: {type: store.type, uid: '${incidents}'},
  target: {refId: 'Heals', ...sql(store, `SELECT ${store.time('intended')} AS time, ${store.time('finished')} AS timeend,
    kind || ' on ' || host || ': ' || COALESCE(target_comm, 'nobody') || ', ' || outcome AS text, kind || ',' || outcome AS tags
    FROM actions WHERE ${store.within('intended')} AND host IN (\${host:sqlstring}) ORDER BY 1 LIMIT 500`, 'table', ['time', 'timeend'])},
}];
const alerts = {name: 'Alerts', enable: true, iconColor: 'red', datasource: prometheus, expr: 'ALERTS{alertstate="firing", alertname=~"Sentinel.+"}', titleFormat: '{{alertname}}', textFormat: '{{host}} {{instance}}', step: '30s'};
const restarts = {name: 'Restarts', enable: true, iconColor: 'blue', datasource: prometheus, expr: `changes(process_start_time_seconds{${own}}[1m]) > 0`, titleFormat: 'Sentinel restarted', textFormat: '{{instance}}', step: '30s'};

const dashboard = (uid, title, description, {variables, annotations, panels, range = 'now-1h', refresh = '10s'}) => ({
  id: null, uid, title, description, tags: ['sentinel'], editable: false, graphTooltip: 1, schemaVersion: 39, version: 1, timezone: 'browser', refresh, fiscalYearStartMonth: 0, weekStart: '',
  time: {from: range, to: 'now'},
  links: [
    {type: 'dashboards', title: 'Sentinel', tags: ['sentinel'], asDropdown: true, includeVars: true, keepTime: true, targetBlank: false, icon: 'external link', tooltip: '', url: ''},
    ...(variables.includes(page) ? [{type: 'link', title: 'Live page', url: '${page}', targetBlank: true, icon: 'external link', tooltip: 'The page that Sentinel serves itself', asDropdown: false, includeVars: false, keepTime: false, tags: []}] : []),
  ],
  templating: {list: variables}, annotations: {list: annotations}, panels,
});

const incidentColumns = (store) => `${store.time('opened')} AS "Opened", state AS "State", host AS "Host", trigger AS "Raised by", rule AS "Rule", why AS "Why",
  ${store.seconds('first_seen', 'closed')} AS "Normal after", attempts AS "Deeds", peak_score AS "Peak", id AS "Incident"`;
const incidentLook = [
  byName('Opened', ['custom.width', 165]),
  byName('State', ['custom.width', 130], ['custom.cellOptions', {type: 'color-text'}], ['mappings', valueMap([['SUSPECTED', 'SUSPECTED', 'yellow'], ['OPEN', 'OPEN', 'red'], ['REMEDIATING', 'REMEDIATING', 'purple'], ['VERIFYING', 'VERIFYING', 'blue'], ['RESOLVED', 'RESOLVED', 'green'], ['ESCALATED', 'ESCALATED', 'red']])]),
  byName('Host', ['custom.width', 210]), byName('Raised by', ['custom.width', 95]), byName('Rule', ['custom.width', 120]),
  byName('Normal after', ['unit', 's'], ['custom.width', 115]), byName('Deeds', ['custom.width', 75]), byName('Peak', ['decimals', 3], ['custom.width', 75]),
  byName('Incident', ['custom.width', 130], ['links', [{title: 'Open on the live page', url: '${page}/#/incidents/${__value.raw}', targetBlank: true}]]),
];
const actionColumns = (store) => `${store.time('intended')} AS "Intended", outcome AS "Outcome", host AS "Host", kind AS "Action", target_comm AS "Process", target_pid AS "PID", target_uid AS "User id",
  target_cpu_ratio AS "CPU", ${store.seconds('intended', 'finished')} AS "Took", ${store.yesNo('dry_run')} AS "Dry run", reason AS "Answer"`;
const actionLook = [
  byName('Intended', ['custom.width', 165]),
  byName('Outcome', ['custom.width', 110], ['custom.cellOptions', {type: 'color-text'}], ['mappings', valueMap([['terminated', 'terminated', 'green'], ['killed', 'killed', 'green'], ['done', 'done', 'green'], ['would', 'would', 'blue'], ['gone', 'gone', 'blue'], ['pending', 'pending', 'purple'], ['refused', 'refused', 'yellow'], ['failed', 'failed', 'red'], ['unreachable', 'unreachable', 'red'], ['no_target', 'no_target', 'yellow']])]),
  byName('Host', ['custom.width', 210]), byName('Action', ['custom.width', 100]), byName('Process', ['custom.width', 130]), byName('PID', ['unit', 'none'], ['custom.width', 85]), byName('User id', ['unit', 'none'], ['custom.width', 80]),
  byName('CPU', ['unit', 'percentunit'], ['custom.width', 85]), byName('Took', ['unit', 's'], ['custom.width', 85]), byName('Dry run', ['custom.width', 85]),
];
const mine = 'host IN (${host:sqlstring})';
const incidentTable = (store) => table('Incidents', 'Newest first. The id leads to the incident on the live page, with its transitions, candidates and proof.', [
  sql(store, `SELECT ${incidentColumns(store)} FROM incidents WHERE ${store.within('opened')} AND ${mine} ORDER BY 1 DESC LIMIT 200`, 'table', ['Opened'])], {overrides: incidentLook});
const actionTable = (store) => table('Actions', 'Every deed, also those that were refused, only would have been done, or failed.', [
  sql(store, `SELECT ${actionColumns(store)} FROM actions WHERE ${store.within('intended')} AND ${mine} ORDER BY 1 DESC LIMIT 200`, 'table', ['Intended'])], {overrides: actionLook});
// What Prometheus alone knows of incidents: counts since the start of sentineld. (increase() would miss the first of
// each kind, whose counter begins at 1.)
const tallies = () => [
  lines('Incidents', 'Incidents begun since sentineld started, by what raised them. The live page has each of them.', [prom(`sum by (host, trigger) (sentinel_incidents_total{${each}})`, '{{host}} {{trigger}}')], {unit: 'none', defaults: {decimals: 0}}),
  lines('Actions', 'Deeds since sentineld started, by kind and outcome; also those that were refused, only would have been done, or failed.', [prom(`sum by (host, action, outcome) (sentinel_actions_total{${each}})`, '{{host}} {{action}} {{outcome}}')], {unit: 'none', defaults: {decimals: 0}}),
];

function overview(store) {
  const host = labelValues('host', 'Host', `label_values(sentinel_host_state{${own}}, host)`);
  const count = (title, description, text, look) => stat(title, description, [sql(store, text)], {...look, width: 4});
  return dashboard(`sentinel-overview${store.suffix}`, `Sentinel overview${store.title}`, 'Every host at a glance: how unusual, what was done, how long it took.', {
    variables: [source('datasource', 'Data Source', 'prometheus'), ...incidentSource(store), job, host, page],
    annotations: [...heals(store), alerts, restarts],
    panels: rows(
      ['Now',
        stat('Hosts by state', 'How many hosts are in each state. A stale host is never counted as healthy.', states.map(([state]) => instant(`sum(sentinel_host_state{${each}, state="${state}"})`, state)), {unit: 'none', width: 10, options: {textMode: 'value_and_name'}, overrides: states.map(([state, color]) => byName(state, ['color', {mode: 'fixed', fixedColor: color}]))}),
        stat('Mode', 'OBSERVE records what would be done; ACT also does it.', [instant(`max(sentinel_mode{${own}, mode="act"})`, 'mode')], {width: 3, defaults: {mappings: valueMap([[0, 'OBSERVE', 'blue'], [1, 'ACT', 'purple']])}}),
        stat('Helpers answering', 'Of the configured helpers, how many answer.', [instant(`sum(sentinel_helper_reachable{${own}}) or vector(0)`, 'answering'), instant(`count(sentinel_helper_reachable{${own}}) or vector(0)`, 'configured')], {unit: 'none', width: 4}),
        stat('Open incidents', 'Incidents that are not RESOLVED, on all hosts.', [instant(`sum(sentinel_incidents_unresolved{${own}})`, 'unresolved')], {unit: 'none', width: 3, defaults: {thresholds: bad}}),
        stat('Database', 'Whether the last write of a record succeeded.', [instant(`max(sentinel_archive_failing{${own}})`, 'failing')], {width: 4, defaults: {mappings: valueMap([[0, 'takes records', 'green'], [1, 'failing', 'red']])}})],
      ['Anomalies',
        timeline(each, 'State of each host', 7),
        lines('Anomaly score', 'How unusual the last point of each host was. Where a line crosses its dashed threshold, the host counts as anomalous.', [
          prom(`sentinel_host_anomaly_score{${each}}`, '{{host}}', {interval: '2s'}), prom(`max(sentinel_host_anomaly_threshold{${each}})`, 'highest threshold', {interval: '2s'})],
        {unit: 'none', width: 24, height: 9, custom: {fillOpacity: 0}, defaults: {max: 1, decimals: 2}, overrides: [byName('highest threshold', ['color', {mode: 'fixed', fixedColor: 'red'}], ['custom.lineStyle', {fill: 'dash', dash: [8, 6]}], ['custom.fillOpacity', 0])]})],
      store.type ? ['Heals',
        count('Incidents', 'Incidents that began in the time range.', `SELECT COUNT(*) AS incidents FROM incidents WHERE ${store.within('opened')} AND ${mine}`, {unit: 'none'}),
        count('Healed', 'Incidents of the time range that ended RESOLVED after a deed of Sentinel.', `SELECT COUNT(*) AS healed FROM incidents WHERE ${store.within('opened')} AND ${mine} AND state = 'RESOLVED' AND attempts > 0`, {unit: 'none', defaults: {thresholds: thresholds([null, 'green'])}}),
        count('Need a person', 'Incidents of the time range that are ESCALATED.', `SELECT COUNT(*) AS escalated FROM incidents WHERE ${store.within('opened')} AND ${mine} AND state = 'ESCALATED'`, {unit: 'none', defaults: {thresholds: bad}}),
        count('Mean time to normal', 'From the first anomalous sample to the proven end, over healed incidents of the time range.', `SELECT AVG(${store.seconds('first_seen', 'closed')}) AS seconds FROM incidents WHERE ${store.within('opened')} AND ${mine} AND state = 'RESOLVED' AND attempts > 0`, {unit: 's', defaults: {decimals: 1}}),
        count('Mean time of a deed', 'From the intention to the helper\'s answer, over deeds that succeeded.', `SELECT AVG(${store.seconds('intended', 'finished')}) AS seconds FROM actions WHERE ${store.within('intended')} AND ${mine} AND outcome IN ('terminated', 'killed', 'done')`, {unit: 's', defaults: {decimals: 1}}),
        count('Refused', 'Deeds that the helper\'s policy did not permit.', `SELECT COUNT(*) AS refused FROM actions WHERE ${store.within('intended')} AND ${mine} AND outcome = 'refused'`, {unit: 'none'}),
        incidentTable(store), actionTable(store)] : ['Heals', ...tallies()],
    ),
  });
}

function hostDashboard(store) {
  const host = labelValues('host', 'Host', `label_values(sentinel_host_state{${own}}, host)`, {multi: false});
  const feature = (title, description, names, unit, look = {}) => lines(title, description, [prom(`sentinel_host_feature{${each}, feature=~"${names}"}`, '{{feature}}', {interval: '2s'})], {unit, ...look});
  const gauge = (title, description, metric, look) => stat(title, description, [instant(`max(${metric}{${each}})`, title)], look);
  return dashboard(`sentinel-host${store.suffix}`, `Sentinel host${store.title}`, 'One host: state above score above the features that it is made of, with every heal marked.', {
    variables: [source('datasource', 'Data Source', 'prometheus'), ...incidentSource(store), job, host, page],
    annotations: [...heals(store), alerts],
    panels: rows(
      ['Now',
        stat('State', 'The state that the host is in.', [instant(`sum(${states.map(([state], i) => `sentinel_host_state{${each}, state="${state}"} * ${i + 1}`).join(' or ')})`, 'state')], {defaults: {mappings: stateMap}}),
        gauge('Score', 'How unusual the last point was, 0 to 1; empty while learning.', 'sentinel_host_anomaly_score', {unit: 'none', defaults: {decimals: 3}}),
        gauge('Threshold', 'The score above which a point counts as anomalous, from the host\'s own scores.', 'sentinel_host_anomaly_threshold', {unit: 'none', defaults: {decimals: 3}}),
        gauge('Points in the window', 'What the model is trained on.', 'sentinel_host_window_points', {unit: 'none'}),
        gauge('Series', 'Series that the features are made of.', 'sentinel_host_series', {unit: 'none'}),
        stat('Last sample', 'How long ago the last sample arrived.', [instant(`time() - max(sentinel_host_last_sample_timestamp_seconds{${each}})`, 'age')], {unit: 's', defaults: {decimals: 0, thresholds: thresholds([null, 'green'], [30, 'yellow'], [120, 'red'])}})],
      ['Score',
        timeline(each, 'State', 4),
        lines('Score and threshold', 'The score of each point, and the threshold it is held against.', [prom(`sentinel_host_anomaly_score{${each}}`, 'score', {interval: '2s'}), prom(`sentinel_host_anomaly_threshold{${each}}`, 'threshold', {interval: '2s'})],
          {unit: 'none', width: 24, height: 8, defaults: {max: 1, decimals: 2}, overrides: [byName('threshold', ['color', {mode: 'fixed', fixedColor: 'red'}], ['custom.lineStyle', {fill: 'dash', dash: [8, 6]}], ['custom.fillOpacity', 0])]})],
      ['Features',
        feature('Processor', 'Shares of processor time.', 'cpu_.*', 'percentunit', {defaults: {max: 1}}),
        feature('Memory, swap and file systems', 'Shares in use.', 'memory_used|swap_used|filesystem_used', 'percentunit', {defaults: {max: 1}}),
        feature('Load and running tasks', 'Load per processor, and tasks that run or could run.', 'load_per_cpu|processes_running', 'none'),
        feature('Disk and network', 'Bytes per second.', 'disk_bytes|network_.*', 'Bps'),
        feature('Events', 'Operations, switches, faults and forks per second.', 'disk_operations|context_switches|major_faults|forks', 'ops'),
        feature('Pressure', 'Share of time in which some task waited (Linux 4.20 and later).', 'pressure_.*', 'percentunit', {defaults: {max: 1}})],
      ['What happened', ...(store.type ? [incidentTable(store), actionTable(store)] : tallies())],
    ),
  });
}

function internals() {
  const rate = (metric, by) => `sum by (${by}) (rate(${metric}{${own}}[$__rate_interval]))`;
  const quantile = (q, metric) => `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket{${own}}[$__rate_interval])))`;
  const total = (metric) => prom(`sum(rate(${metric}{${own}}[$__rate_interval]))`, metric.replace(/^sentinel_|_total$/g, '').replaceAll('_', ' '));
  return dashboard('sentinel-internals', 'Sentinel internals', 'Sentinel itself: what comes in, what waits, how long a decision takes, what it costs.', {
    variables: [source('datasource', 'Data Source', 'prometheus'), job],
    annotations: [alerts, restarts],
    panels: rows(
      ['Ingest',
        lines('Remote write requests', 'By protocol version and answer. 503 asks the sender to come again; other 4xx are never repeated.', [prom(rate('sentinel_remote_write_requests_total', 'version, code'), '{{version}} {{code}}')], {unit: 'reqps'}),
        lines('Samples', 'Received, and wanted by a feature.', [total('sentinel_samples_received_total'), total('sentinel_samples_matched_total')], {unit: 'cps'}),
        lines('Samples that were not used', 'Refused by a rule or limit, late for their point, or dated in the future.', [total('sentinel_samples_refused_total'), total('sentinel_samples_late_total'), total('sentinel_samples_future_total')], {unit: 'cps'}),
        lines('Points', 'Feature vectors by completeness. Many partial ones mean that scrapes arrive in pieces that settle too late.', [prom(rate('sentinel_points_total', 'completeness'), '{{completeness}}')], {unit: 'cps'}),
        lines('Series', 'Series in the caches of the http threads.', [prom(`sum(sentinel_series_active{${own}})`, 'series')], {unit: 'short'}),
        lines('Refused at a limit', 'Connections, event streams, and series of hosts beyond the limit.', [total('sentinel_http_connections_refused_total'), total('sentinel_events_subscribers_refused_total'), total('sentinel_hosts_refused_total')], {unit: 'cps'})],
      ['Decisions',
        lines('Time to a decision', 'From the last piece of a point to the decision about it.', [0.5, 0.9, 0.99].map((q) => prom(quantile(q, 'sentinel_decision_seconds'), `p${q * 100}`)), {unit: 's'}),
        lines('Time to heal', 'From the first anomalous sample to the proven heal.', [0.5, 0.9].map((q) => prom(quantile(q, 'sentinel_heal_seconds').replace('$__rate_interval', '$__range'), `p${q * 100}`)), {unit: 's'}),
        lines('Forests', 'Fits by the trainer, and fits put off because it was busy.', [total('sentinel_forests_trained_total'), total('sentinel_training_deferred_total')], {unit: 'cps'}),
        lines('Models', 'Memory of all models.', [prom(`sum(sentinel_host_model_bytes{${own}})`, 'models')], {unit: 'bytes'})],
      ['Queues, archive and helper',
        lines('Queues', 'Items waiting, as a share of what the queue can hold.', [prom(`sentinel_queue_depth{${own}} / sentinel_queue_capacity{${own}}`, '{{queue}}')], {unit: 'percentunit', defaults: {max: 1}}),
        lines('Archive', 'Rows made durable, and writes that failed and were tried again.', [prom(rate('sentinel_archive_rows_total', 'table'), '{{table}}'), prom(`sum(rate(sentinel_archive_errors_total{${own}}[$__rate_interval]))`, 'errors')], {unit: 'cps'}),
        lines('Helpers', '1 while the helper answers.', [prom(`sentinel_helper_reachable{${own}}`, '{{helper}}')], {unit: 'bool', defaults: {max: 1}}),
        lines('Helper conversations that broke off', 'Requests to a helper that ended without an answer.', [total('sentinel_helper_errors_total')], {unit: 'cps'})],
      ['Process',
        lines('Processor', 'Seconds of processor time per second.', [prom(`rate(process_cpu_seconds_total{${own}}[$__rate_interval])`, '{{instance}}')], {unit: 'percentunit'}),
        lines('Memory', 'Resident memory.', [prom(`process_resident_memory_bytes{${own}}`, '{{instance}}')], {unit: 'bytes'}),
        lines('Open files', 'As a share of the limit.', [prom(`process_open_fds{${own}} / process_max_fds{${own}}`, '{{instance}}')], {unit: 'percentunit', defaults: {max: 1}}),
        lines('Threads', 'Operating system threads.', [prom(`process_threads{${own}}`, '{{instance}}')], {unit: 'short'}),
        stat('Version', 'What is running.', [instant(`sentinel_build_info{${own}}`, '{{version}} ({{revision}})')], {unit: 'none', width: 8, options: {textMode: 'name'}}),
        stat('Configuration', 'Whether the last reload succeeded.', [instant(`min(sentinel_config_last_reload_successful{${own}})`, 'reload')], {width: 8, defaults: {mappings: valueMap([[0, 'last reload failed', 'red'], [1, 'loaded', 'green']])}}),
        stat('Running for', 'Since the start of the process.', [instant(`time() - min(process_start_time_seconds{${own}})`, 'up')], {unit: 's', width: 8, defaults: {decimals: 0}})],
    ),
  });
}

const files = {'common/sentinel-internals.json': internals()};
for (const [name, store] of Object.entries(stores)) {
  files[`${name}/sentinel-overview.json`] = overview(store);
  files[`${name}/sentinel-host.json`] = hostDashboard(store);
}
let stale = 0;
for (const [name, content] of Object.entries(files)) {
  const file = path.join(here, 'dashboards', name), text = JSON.stringify(content, null, 2) + '\n';
  if (!process.argv.includes('--check')) {
    fs.mkdirSync(path.dirname(file), {recursive: true});
    fs.writeFileSync(file, text);
  } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
    console.log(`${name} is not what build.mjs makes: run node grafana/build.mjs`);
    stale++;
  }
}
process.exit(stale ? 1 : 0);
