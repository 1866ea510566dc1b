// The server itself: what was built, how it runs, what it was told.
import {badge, h} from './dom.js';
import {duration, moment, quantity} from './format.js';
import {api, live, readRuntime} from './live.js';

const facts = (entries) => h('dl', {class: 'facts wide'}, entries.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))));
const card = (title, ...content) => h('section', {class: 'card', 'aria-label': title}, h('h2', {}, title), content);
const queue = ({depth, capacity}) => `${depth} of ${capacity}`;
const yesOrNo = (good, yes, no) => badge(good ? 'HEALTHY' : 'ANOMALY', good ? yes : no);

function helperCard(helper) {
  return h('article', {class: 'deed'}, h('div', {class: 'card-head'}, h('h3', {}, helper.path),
    yesOrNo(helper.reachable, 'answers', 'does not answer'),
    helper.reachable && !helper.policy_ok ? yesOrNo(false, '', 'policy refused') : null,
    helper.paused ? badge('STALE', 'paused') : null),
    facts([['Its mode', helper.mode], ['Deeds in the last hour', helper.budget_per_hour ? `${helper.deeds_last_hour} of ${helper.budget_per_hour}` : '–'], ['Says', helper.text || '–']]));
}

export function statusView() {
  const root = h('div', {class: 'stack'}, h('h1', {}, 'Status'));
  const areas = h('div', {class: 'stack'});
  root.append(areas);
  let gone = false;

  async function refresh() {
    try {
      const [info, build, flags, config] = await Promise.all([readRuntime(), api('status/buildinfo'), api('status/flags'), api('status/config')]);
      if (gone) return;
      const open = [...areas.querySelectorAll('details')].map((each) => each.open);
      areas.replaceChildren(
        card('Server', facts([
          ['Version', `${build.version} (${build.revision || 'no revision'})`], ['Compiler', build.compiler], ['Machine', info.hostname],
          ['Started', moment(info.start_time)], ['Running for', duration(info.uptime_seconds)], ['Memory', quantity(info.resident_memory_bytes, 'bytes')],
          ['CPU time', duration(info.cpu_seconds)], ['Open files', String(info.open_fds)], ['Mode', info.mode],
        ])),
        card('Flow', facts([
          ['Series in use', String(info.series_active)], ['Samples waiting', queue(info.core_queue)], ['Records waiting for the database', queue(info.archive_queue)],
          ['Database', yesOrNo(!info.archive_failing, 'takes records', 'last write failed; records are kept and tried again')],
          ['Configuration', yesOrNo(info.config_reload_successful, 'loaded', 'last reload failed; the older one is in force')],
          ['Loaded', moment(info.config_last_success)],
        ])),
        card('Helpers', info.helpers.length ? info.helpers.map(helperCard) : h('p', {class: 'muted'}, 'None configured: Sentinel watches and records, and nothing is ever ended.')),
        card('Flags', Object.keys(flags).length ? facts(Object.entries(flags).map(([name, value]) => [name, value === '' ? '–' : h('code', {}, String(value))])) : h('p', {class: 'muted'}, 'All at their defaults.')),
        card('Configuration file', config.yaml ? h('details', {open: open[0]}, h('summary', {}, 'sentinel.yml as it was read'), h('pre', {class: 'code'}, config.yaml)) : h('p', {class: 'muted'}, 'None: defaults are in force.')));
    } catch (error) {
      if (!gone) areas.replaceChildren(h('p', {class: 'card problem', role: 'alert'}, `The server does not answer: ${error.message}`));
    }
  }
  const ticker = setInterval(refresh, 5000);
  const onConnection = () => refresh();
  live.addEventListener('connection', onConnection);
  return {
    root, title: 'Status', mounted: refresh,
    destroy() {
      gone = true;
      clearInterval(ticker);
      live.removeEventListener('connection', onConnection);
    },
  };
}
