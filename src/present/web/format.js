// Numbers with their units (a no-break space keeps them together), times as the reader's clock shows them.
import {h} from './dom.js';

const dash = '–';
export const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

// Three digits that say something: 128, 12.8, 1.28, 0.128; and 2, not 2.00.
function digits(value) {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function scaled(value, base, prefixes) {
  let step = 0;
  while (Math.abs(value) >= base && step < prefixes.length - 1) {
    value /= base;
    step++;
  }
  return [digits(value), prefixes[step]];
}

export function quantity(value, unit) {
  if (!isNumber(value)) return dash;
  if (unit === 'ratio') return `${(value * 100).toFixed(Math.abs(value) < 0.1 ? 1 : 0)}\u00a0%`;
  if (unit.startsWith('bytes')) {
    const [number, prefix] = scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
    return `${number}\u00a0${prefix}${unit.slice('bytes'.length)}`;
  }
  const [number, prefix] = scaled(value, 1000, ['', 'k', 'M', 'G']);
  if (unit === '1' || unit === '') return number + prefix;
  return unit.startsWith('1/') ? `${number}${prefix}${unit.slice(1)}` : `${number}\u00a0${prefix}${unit}`;
}

export const score = (value) => (isNumber(value) ? value.toFixed(3) : dash);
export const percent = (value) => quantity(value, 'ratio');

export function duration(seconds) {
  if (!isNumber(seconds)) return dash;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)}\u00a0s`;
  if (seconds < 100) return `${Math.round(seconds)}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes}\u00a0min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min` : `${Math.round(minutes / 1440)} days`;
}

const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const dated = new Intl.DateTimeFormat(undefined, {month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});

export const clockTime = (ms) => clock.format(ms);
export const utc = (iso) => `${iso.replace('T', ' ').replace('Z', '')} UTC`;

// Local time; the full UTC time on hover. Today's need no date.
export function moment(iso) {
  if (!iso) return h('span', {}, dash);
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return h('time', {datetime: iso, title: utc(iso)}, (today ? clock : dated).format(date));
}

// The server's clock decides how old something is: the browser may be on another machine.
let skewMs = 0;
export const setServerTime = (iso) => { skewMs = Date.parse(iso) - Date.now(); };
export const serverNow = () => Date.now() + skewMs;
export const ageSeconds = (iso) => (iso ? (serverNow() - Date.parse(iso)) / 1000 : NaN);
export function age(iso) {
  const seconds = ageSeconds(iso);
  if (!isNumber(seconds)) return dash;
  return seconds < 1 ? 'now' : `${duration(Math.floor(seconds)).replace('.0', '')} ago`;
}
